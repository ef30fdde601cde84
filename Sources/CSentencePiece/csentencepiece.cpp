#include "csentencepiece.h"
#include "guarded.h"
#include "training_words.h"

#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>
#include <sentencepiece_trainer.h>

#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

using csp::copied;
using csp::guarded;
using sentencepiece::util::Status;
using sentencepiece::util::StatusCode;

namespace {

class Sentences : public sentencepiece::SentenceIterator {
public:
    Sentences(csp_next_sentence next, void *context) : next_(next), context_(context) { Next(); }
    bool done() const override { return result_ != 1; }
    const std::string &value() const override { return value_; }
    Status status() const override {
        return result_ < 0 ? Status(StatusCode::kAborted, "the documents could not be read") : Status();
    }
    void Next() override {
        const char *bytes = nullptr;
        size_t count = 0;
        result_ = next_(context_, &bytes, &count);
        if (result_ == 1) value_.assign(bytes, count);
    }

private:
    csp_next_sentence next_;
    void *context_;
    int result_ = 0;
    std::string value_;
};

// The words of sentences with their counts, as lines of the trainer's format "tsv".
class CountedWords : public sentencepiece::SentenceIterator {
public:
    CountedWords(csp_next_sentence next, void *context, size_t size_limit, size_t byte_limit)
        : words_(byte_limit) {
        Sentences sentences(next, context);
        std::string scratch;
        for (; !sentences.done(); sentences.Next()) {
            csp::for_each_word(sentences.value(), size_limit, scratch,
                               [&](std::string_view word) { words_.add(word); });
        }
        status_ = sentences.status();
        Next();
    }
    bool done() const override { return is_done_; }
    const std::string &value() const override { return value_; }
    Status status() const override { return status_; }
    void Next() override {
        csp::WordCounts::Word word;
        is_done_ = !words_.next(place_, word);
        if (is_done_) return;
        value_.assign(word.bytes, word.size);
        value_ += '\t';
        value_ += std::to_string(word.count);
    }
    size_t forgotten() const { return words_.forgotten(); }

private:
    csp::WordCounts words_;
    size_t place_ = 0;
    bool is_done_ = false;
    Status status_;
    std::string value_;
};

// Keeps this thread, and those it starts, on the first `count` processors it may use.
class Processors {
public:
    explicit Processors(int count) {
        saved_ = sched_getaffinity(0, sizeof(before_), &before_) == 0;
        if (!saved_) return;
        cpu_set_t wanted;
        CPU_ZERO(&wanted);
        for (int cpu = 0, taken = 0; cpu < CPU_SETSIZE && taken < count; ++cpu) {
            if (!CPU_ISSET(cpu, &before_)) continue;
            CPU_SET(cpu, &wanted);
            ++taken;
        }
        sched_setaffinity(0, sizeof(wanted), &wanted);
    }
    ~Processors() {
        if (saved_) sched_setaffinity(0, sizeof(before_), &before_);
    }

private:
    cpu_set_t before_;
    bool saved_;
};

int status_of_failure = 1;

// Called where an exception leaves a thread of the library: nothing can be thrown from there.
[[noreturn]] void end_program() {
    const char *reason = "unknown C++ exception";
    static char copy[256];
    try {
        if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
    } catch (const std::bad_alloc &) {
        reason = "there is not enough memory; learn from a sample with --sentence-limit";
    } catch (const std::exception &error) {
        snprintf(copy, sizeof copy, "%s", error.what());
        reason = copy;
    } catch (...) {
    }
    static const char start[] = "falcon: cannot train the tokenizer: ";
    struct iovec parts[] = {{const_cast<char *>(start), sizeof start - 1},
                            {const_cast<char *>(reason), strlen(reason)},
                            {const_cast<char *>("\n"), 1}};
    const ssize_t written = writev(2, parts, 3);
    (void)written;
    _exit(status_of_failure);
}

// Has `end_program` called instead of the program being aborted, as long as it lives.
class EndingWithMessage {
public:
    explicit EndingWithMessage(int status) {
        status_of_failure = status;
        before_ = std::set_terminate(end_program);
    }
    ~EndingWithMessage() { std::set_terminate(before_); }

private:
    std::terminate_handler before_;
};

}  // namespace

char *csp_load(csp_processor **processor, const void *model, size_t model_bytes) {
    *processor = nullptr;
    return guarded([&] {
        auto *loaded = new csp_processor;
        const Status status = loaded->library.LoadFromSerializedProto(
            std::string_view(static_cast<const char *>(model), model_bytes));
        if (status.ok()) {
            *processor = loaded;
        } else {
            delete loaded;
        }
        return status;
    });
}

void csp_close(csp_processor *processor) { delete processor; }

char *csp_encode(const csp_processor *processor, int32_t **ids, size_t *id_count, const char *text,
                 size_t text_bytes) {
    *ids = nullptr;
    *id_count = 0;
    return guarded([&] {
        std::vector<int> found;
        const Status status = processor->library.Encode(std::string_view(text, text_bytes), &found);
        if (status.ok()) {
            *ids = static_cast<int32_t *>(copied(found.data(), found.size() * sizeof(int32_t)));
            *id_count = found.size();
        }
        return status;
    });
}

char *csp_decode(const csp_processor *processor, char **text, size_t *text_bytes, const int32_t *ids,
                 size_t id_count) {
    *text = nullptr;
    *text_bytes = 0;
    return guarded([&] {
        std::string found;
        const Status status = processor->library.Decode(std::vector<int>(ids, ids + id_count), &found);
        if (status.ok()) {
            *text = static_cast<char *>(copied(found.data(), found.size()));
            *text_bytes = found.size();
        }
        return status;
    });
}

char *csp_train(uint8_t **model, size_t *model_bytes, const char *options, csp_next_sentence next,
                void *context, int32_t cpu_count, int32_t failure_status, size_t word_bytes,
                size_t *forgotten) {
    *forgotten = 0;
    *model = nullptr;
    *model_bytes = 0;
    return guarded([&] {
        std::unordered_map<std::string, std::string> named;
        std::istringstream lines(options);
        for (std::string line; std::getline(lines, line);) {
            const size_t equals = line.find('=');
            if (equals != std::string::npos) named[line.substr(0, equals)] = line.substr(equals + 1);
        }
        const EndingWithMessage ending(failure_status);
        const Processors processors(cpu_count);
        // Only sampling of sentences draws random numbers: a fixed seed makes it repeatable.
        sentencepiece::SetRandomGeneratorSeed(0);
        std::string serialized;
        Status status;
        if (word_bytes > 0) {
            const size_t size_limit = std::stoul(named.at("max_sentence_length"));
            CountedWords words(next, context, size_limit, word_bytes);
            *forgotten = words.forgotten();
            if (!words.status().ok()) return words.status();
            named["input_format"] = "tsv";
            status = sentencepiece::SentencePieceTrainer::Train(named, &words, &serialized);
        } else {
            Sentences sentences(next, context);
            status = sentencepiece::SentencePieceTrainer::Train(named, &sentences, &serialized);
        }
        if (status.ok()) {
            *model = static_cast<uint8_t *>(copied(serialized.data(), serialized.size()));
            *model_bytes = serialized.size();
        }
        return status;
    });
}

void csp_free(void *memory) { free(memory); }
