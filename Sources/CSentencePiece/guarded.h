// What the shim's files share; not part of the C interface.
#pragma once

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string_view>

struct csp_processor {
    sentencepiece::SentencePieceProcessor library;
};

namespace csp {

// Never NULL: NULL means that a call worked.
inline char *message(const char *text) {
    char *copy = strdup(text != nullptr && *text != 0 ? text : "unknown error");
    if (copy == nullptr) abort();
    return copy;
}

// A malloc'd copy that C can free; one byte at least, so that NULL always means "no memory".
inline void *copied(const void *bytes, size_t count) {
    void *copy = malloc(count > 0 ? count : 1);
    if (copy == nullptr) throw std::bad_alloc();
    if (count > 0) memcpy(copy, bytes, count);
    return copy;
}

// A number that differs for different words, as good as always.
inline uint64_t hashed(std::string_view word) {
    // 8 bytes at a time, multiplied and folded (constants: odd, from the golden ratio and pi).
    uint64_t hash = word.size() * 0x9E3779B97F4A7C15u;
    size_t done = 0;
    while (done < word.size()) {
        uint64_t piece = 0;
        memcpy(&piece, word.data() + done, word.size() - done < 8 ? word.size() - done : 8);
        hash = (hash ^ piece) * 0x517CC1B727220A95u;
        hash ^= hash >> 32;
        done += 8;
    }
    return hash;
}

// Runs a body that returns a Status; neither a status nor an exception gets past.
template <typename Body>
char *guarded(Body body) {
    try {
        const sentencepiece::util::Status status = body();
        return status.ok() ? nullptr : message(status.error_message());
    } catch (const std::exception &error) {
        return message(error.what());
    } catch (...) {
        return message("unknown C++ exception");
    }
}

}  // namespace csp
