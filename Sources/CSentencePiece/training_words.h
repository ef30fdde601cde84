// The words of training sentences, counted: what the trainer of byte-pair models learns from. Not part of
// the C interface.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace csp {

// Counts words in memory that does not grow with the text: beyond a limit the rarest are forgotten.
class WordCounts {
public:
    struct Word {
        uint64_t hash = 0;
        const char *bytes = nullptr;  // nullptr: empty
        uint32_t size = 0;
        int64_t count = 0;
    };

    explicit WordCounts(size_t byte_limit) : byte_limit_(byte_limit) {}

    void add(std::string_view word, int64_t count = 1);
    // Words that were forgotten.
    size_t forgotten() const { return forgotten_; }
    // The next word that was counted, in an order that depends on the words alone; false at the end.
    bool next(size_t &place, Word &word) const;

private:
    void resize(size_t slots);
    void forget_rarest();
    size_t byte_count() const { return slots_.size() * sizeof(Word) + block_bytes_; }

    size_t byte_limit_;
    std::vector<Word> slots_ = std::vector<Word>(1 << 12);
    std::deque<std::vector<char>> blocks_;
    size_t block_bytes_ = 0;
    size_t word_count_ = 0;
    size_t forgotten_ = 0;
};

// Calls `body` with each word of a sentence as the trainer cuts it: before a space or U+2581 that none
// stands before. Tabs, which the trainer takes for borders that nothing is merged across, come as the
// piece "<s>", which it takes for the same: a tab is what ends a word in the lines that it reads.
template <typename Body>
void for_each_word(std::string_view sentence, size_t size_limit, std::string &scratch, Body body) {
    static constexpr std::string_view mark = "\xE2\x96\x81", border = "<s>";
    size_t start = 0;
    bool is_in_space = true;
    auto give = [&](std::string_view word) {
        if (word.find('\t') == std::string_view::npos) return body(word);
        scratch.clear();
        bool is_long = false;
        size_t size = word.size();
        for (const char byte : word) size += byte == '\t' ? border.size() - 1 : 0;
        is_long = size > size_limit;
        for (const char byte : word) {
            if (byte != '\t') {
                scratch.push_back(byte);
                continue;
            }
            // No pair of pieces lies across a tab, so a long word may end there.
            if (is_long && !scratch.empty()) {
                body(scratch);
                scratch.clear();
            }
            scratch += border;
            if (is_long) {
                body(scratch);
                scratch.clear();
            }
        }
        if (!scratch.empty()) body(scratch);
    };
    for (size_t place = 0; place < sentence.size();) {
        const bool is_mark = sentence.compare(place, mark.size(), mark) == 0;
        const bool is_space = is_mark || sentence[place] == ' ';
        if (is_space && !is_in_space && place > start) {
            give(sentence.substr(start, place - start));
            start = place;
        }
        is_in_space = is_space;
        place += is_mark ? mark.size() : 1;
    }
    if (start < sentence.size()) give(sentence.substr(start));
}

}  // namespace csp
