"""The harness's own preparation of HellaSwag documents."""

from lm_eval.tasks.hellaswag.utils import process_docs

__all__ = ["process_docs"]
