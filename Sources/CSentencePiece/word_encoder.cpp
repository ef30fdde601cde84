#include "csentencepiece.h"
#include "guarded.h"

#include <string_view>
#include <vector>

namespace {

// Longer words are taken apart: the library takes more than 200 bytes for every byte it cuts at once.
constexpr size_t kLongestWhole = size_t(1) << 15;
// Ends of a part that are tried before the part is made longer.
constexpr int kMostTries = 16;

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

// What the model takes for a space.
constexpr std::string_view kSpace = "\xE2\x96\x81";
// The class of all characters outside ASCII.
constexpr unsigned kOther = 128;

bool is_inside_character(std::string_view text, size_t place) {
    return place < text.size() && (text[place] & 0xC0) == 0x80;
}

// Where a text may be cut: between two characters that stand side by side in no piece. What is merged
// there would be such a piece.
class Borders {
public:
    explicit Borders(const sentencepiece::SentencePieceProcessor &library) {
        for (int id = 0; id < library.GetPieceSize(); ++id) {
            // Those are never found in a text.
            if (library.IsByte(id) || library.IsControl(id) || library.IsUnknown(id)) continue;
            const std::string_view piece = library.IdToPiece(id);
            for (size_t place = 1; place < piece.size(); ++place) {
                if (!is_inside_character(piece, place)) {
                    is_joined_[class_before(piece, place)][class_at(piece, place)] = true;
                }
            }
        }
    }

    bool is_border(std::string_view text, size_t place) const {
        const auto left = static_cast<unsigned char>(text[place - 1]);
        const auto right = static_cast<unsigned char>(text[place]);
        if ((left | right) < 0x80) return !is_joined_[left][right];
        return !is_inside_character(text, place) &&
               !is_joined_[class_before(text, place)][class_at(text, place)];
    }

private:
    static unsigned class_at(std::string_view text, size_t place) {
        const auto byte = static_cast<unsigned char>(text[place]);
        if (byte < 0x80) return byte;
        return text.substr(place, kSpace.size()) == kSpace ? ' ' : kOther;
    }

    static unsigned class_before(std::string_view text, size_t place) {
        const auto byte = static_cast<unsigned char>(text[place - 1]);
        if (byte < 0x80) return byte;
        const bool is_space =
            place >= kSpace.size() && text.substr(place - kSpace.size(), kSpace.size()) == kSpace;
        return is_space ? ' ' : kOther;
    }

    bool is_joined_[kOther + 1][kOther + 1] = {};
};

}  // namespace

struct csp_word_encoder {
    const csp_processor *processor;
    Borders borders;
    // What is cut this far before the end of a part does not depend on where the part ends.
    size_t margin;
    std::vector<Slot> slots = std::vector<Slot>(kSlotCount);
    std::vector<char> keys;
    std::vector<int32_t> ids;
    size_t word_count = 0;
    std::vector<int> found;
    std::vector<int32_t> output;

    void forget() {
        slots.assign(kSlotCount, Slot());
        keys.clear();
        ids.clear();
        word_count = 0;
    }

    sentencepiece::util::Status append(std::string_view word) {
        if (word.size() > kLongestWhole) return append_long(word);
        const bool is_kept = word.size() <= kLongestWord;
        const uint64_t hash = is_kept ? csp::hashed(word) : 0;
        size_t place = hash & (kSlotCount - 1);
        while (is_kept && slots[place].key_bytes != 0) {
            const Slot &slot = slots[place];
            if (slot.hash == hash && slot.key_bytes == word.size() &&
                memcmp(keys.data() + slot.key, word.data(), word.size()) == 0) {
                output.insert(output.end(), ids.begin() + slot.ids, ids.begin() + slot.ids + slot.id_count);
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

    // Where the text of a token that starts at `start` ends. The text holds a space or U+2581 where
    // the piece has U+2581.
    size_t token_end(std::string_view text, size_t start, int id) const {
        if (processor->library.IsByte(id)) return start + 1;
        const std::string &piece = processor->library.IdToPiece(id);
        size_t place = 0;
        while (place < piece.size()) {
            const bool is_mark = piece.compare(place, 3, "\xE2\x96\x81") == 0;
            place += is_mark ? 3 : 1;
            start += is_mark && text[start] != ' ' ? 3 : 1;
        }
        return start;
    }

    struct Part {
        std::vector<int> ids;
        std::vector<size_t> ends;  // in the word
    };

    sentencepiece::util::Status cut(std::string_view word, size_t start, size_t end, Part &part) {
        const auto status = processor->library.Encode(word.substr(start, end - start), &part.ids);
        part.ends.clear();
        for (const int id : part.ids) {
            start = token_end(word, start, id);
            part.ends.push_back(start);
        }
        if (status.ok() && start != end) part.ends.clear();
        return status;
    }

    // The tokens of a word of any length, with the memory of a short one.
    //
    // Merges depend on neighbours only. So tokens are those of a text if and only if every two
    // neighbours among them are those of their own two texts: a pair that is not merged in the whole
    // never meets more than the two, and the first merge across a border would happen in the two alone
    // just as well. So a part of the word is cut, tokens near its end are dropped, the next part begins
    // where the last one that is kept ends, and the two tokens at the border are looked at alone.
    sentencepiece::util::Status append_long(std::string_view word) {
        Part part, next;
        size_t start = 0, length = kLongestWhole;
        auto end_of = [&](size_t from) {
            size_t end = word.size() - from > length ? from + length : word.size();
            while (end < word.size() && is_inside_character(word, end)) --end;
            return end;
        };
        size_t end = end_of(start);
        auto status = cut(word, start, end, part);
        while (status.ok() && end < word.size()) {
            bool is_joined = false;
            int tries = 0;
            for (size_t count = part.ends.size(); count > 0 && tries < kMostTries; --count) {
                const size_t border = part.ends[count - 1];
                if (end - border < margin || is_inside_character(word, border)) continue;
                ++tries;
                const size_t next_end = end_of(border);
                status = cut(word, border, next_end, next);
                if (!status.ok()) return status;
                if (!is_border_of_tokens(word, start, part, count, next)) continue;
                output.insert(output.end(), part.ids.begin(), part.ids.begin() + count);
                std::swap(part, next);
                start = border;
                end = next_end;
                is_joined = true;
                break;
            }
            if (is_joined) continue;
            // Seldom more than once: what is far away has no say.
            length *= 2;
            end = end_of(start);
            status = cut(word, start, end, part);
        }
        if (!status.ok()) return status;
        output.insert(output.end(), part.ids.begin(), part.ids.end());
        return status;
    }

    // Whether the token before `count` and the first one of the next part are those of their texts;
    // bytes of one character count as one token.
    bool is_border_of_tokens(std::string_view word, size_t start, const Part &part, size_t count,
                             const Part &next) {
        size_t first = count, last = 0;
        size_t left = start;
        do {
            --first;
            left = first > 0 ? part.ends[first - 1] : start;
        } while (first > 0 && is_inside_character(word, left));
        while (last < next.ends.size() && is_inside_character(word, next.ends[last])) ++last;
        if (last == next.ends.size()) return false;
        found.clear();
        const auto status = processor->library.Encode(word.substr(left, next.ends[last] - left), &found);
        std::vector<int> wanted(part.ids.begin() + first, part.ids.begin() + count);
        wanted.insert(wanted.end(), next.ids.begin(), next.ids.begin() + last + 1);
        return status.ok() && found == wanted;
    }
};

csp_word_encoder *csp_word_encoder_open(const csp_processor *processor, size_t longest_piece) {
    try {
        // Pieces that are found before anything is merged may reach twice their length back.
        return new csp_word_encoder{processor, Borders(processor->library), 1024 + 2 * longest_piece};
    } catch (...) {
        return nullptr;
    }
}

void csp_word_encoder_close(csp_word_encoder *encoder) { delete encoder; }

char *csp_word_encode(csp_word_encoder *encoder, const int32_t **ids, size_t *id_count, const char *text,
                      size_t text_bytes) {
    *ids = nullptr;
    *id_count = 0;
    return csp::guarded([&] {
        const std::string_view whole(text, text_bytes);
        auto &output = encoder->output;
        output.clear();
        // The memory of a long text is not kept for short ones.
        if (output.capacity() > (size_t(1) << 20)) output = std::vector<int32_t>();
        size_t start = 0;
        while (start < text_bytes) {
            size_t end = start + 1;
            while (end < text_bytes && !encoder->borders.is_border(whole, end)) ++end;
            const auto status = encoder->append(whole.substr(start, end - start));
            if (!status.ok()) return status;
            start = end;
        }
        *ids = output.data();
        *id_count = output.size();
        return sentencepiece::util::Status();
    });
}
