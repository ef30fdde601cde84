#include "csentencepiece.h"
#include "guarded.h"

#include <string_view>
#include <vector>

namespace {

// Longer words are rare, and would fill the table with what is never met again.
constexpr size_t kLongestWord = 48;
// Words remembered; a full table starts anew. At most about 30 MB for each encoder.
constexpr size_t kSlotCount = size_t(1) << 19;
constexpr size_t kMostWords = kSlotCount / 2;

struct Slot {
    uint64_t hash = 0;
    uint32_t key = 0;
    uint32_t ids = 0;
    uint16_t key_bytes = 0;  // 0: empty
    uint16_t id_count = 0;
};

uint64_t hashed(std::string_view word) {
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

// Whether text may be cut before `place`: a space there, and neither a space nor U+2581, which the
// model takes for one, before it.
bool is_border(std::string_view text, size_t place) {
    if (text[place] != ' ' || text[place - 1] == ' ') return false;
    return place < 3 || text.substr(place - 3, 3) != "\xE2\x96\x81";
}

}  // namespace

struct csp_word_encoder {
    const csp_processor *processor;
    std::vector<Slot> slots = std::vector<Slot>(kSlotCount);
    std::vector<char> keys;
    std::vector<int32_t> ids;
    size_t word_count = 0;
    std::vector<int> found;

    void forget() {
        slots.assign(kSlotCount, Slot());
        keys.clear();
        ids.clear();
        word_count = 0;
    }

    sentencepiece::util::Status append(std::string_view word, std::vector<int32_t> &output) {
        const bool is_kept = word.size() <= kLongestWord;
        const uint64_t hash = is_kept ? hashed(word) : 0;
        size_t place = hash & (kSlotCount - 1);
        while (is_kept && slots[place].key_bytes != 0) {
            const Slot &slot = slots[place];
            if (slot.hash == hash && slot.key_bytes == word.size() &&
                memcmp(keys.data() + slot.key, word.data(), word.size()) == 0) {
                output.insert(output.end(), ids.begin() + slot.ids,
                              ids.begin() + slot.ids + slot.id_count);
                return {};
            }
            place = (place + 1) & (kSlotCount - 1);
        }
        found.clear();
        const auto status = processor->library.Encode(word, &found);
        if (!status.ok()) return status;
        output.insert(output.end(), found.begin(), found.end());
        if (!is_kept) return status;
        if (word_count == kMostWords) {
            forget();
            place = hash & (kSlotCount - 1);
        }
        slots[place] = {hash, uint32_t(keys.size()), uint32_t(ids.size()), uint16_t(word.size()),
                        uint16_t(found.size())};
        keys.insert(keys.end(), word.begin(), word.end());
        ids.insert(ids.end(), found.begin(), found.end());
        ++word_count;
        return status;
    }
};

csp_word_encoder *csp_word_encoder_open(const csp_processor *processor) {
    try {
        return new csp_word_encoder{processor};
    } catch (...) {
        return nullptr;
    }
}

void csp_word_encoder_close(csp_word_encoder *encoder) { delete encoder; }

char *csp_word_encode(csp_word_encoder *encoder, int32_t **ids, size_t *id_count, const char *text,
                      size_t text_bytes) {
    *ids = nullptr;
    *id_count = 0;
    return csp::guarded([&] {
        const std::string_view whole(text, text_bytes);
        std::vector<int32_t> output;
        output.reserve(text_bytes / 2);
        size_t start = 0;
        while (start < text_bytes) {
            size_t end = start + 1;
            while (end < text_bytes && !is_border(whole, end)) ++end;
            const auto status = encoder->append(whole.substr(start, end - start), output);
            if (!status.ok()) return status;
            start = end;
        }
        *ids = static_cast<int32_t *>(csp::copied(output.data(), output.size() * sizeof(int32_t)));
        *id_count = output.size();
        return sentencepiece::util::Status();
    });
}
