#include "training_words.h"

#include "guarded.h"

#include <algorithm>

namespace csp {

constexpr size_t kBlockBytes = size_t(1) << 20;

void WordCounts::add(std::string_view word, int64_t count) {
    const uint64_t hash = hashed(word);
    size_t place = hash & (slots_.size() - 1);
    while (slots_[place].bytes != nullptr) {
        Word &known = slots_[place];
        if (known.hash == hash && known.size == word.size() &&
            memcmp(known.bytes, word.data(), word.size()) == 0) {
            known.count += count;
            return;
        }
        place = (place + 1) & (slots_.size() - 1);
    }
    if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < word.size()) {
        if (byte_count() + kBlockBytes > byte_limit_) forget_rarest();
        blocks_.emplace_back();
        blocks_.back().reserve(std::max(kBlockBytes, word.size()));
        block_bytes_ += blocks_.back().capacity();
    }
    if (2 * (word_count_ + 1) > slots_.size()) {
        if (byte_count() + slots_.size() * sizeof(Word) > byte_limit_) {
            forget_rarest();
        } else {
            resize(2 * slots_.size());
        }
        return add(word, count);
    }
    // Forgetting may have moved the empty place.
    place = hash & (slots_.size() - 1);
    while (slots_[place].bytes != nullptr) place = (place + 1) & (slots_.size() - 1);
    std::vector<char> &block = blocks_.back();
    const char *bytes = block.data() + block.size();
    block.insert(block.end(), word.begin(), word.end());
    slots_[place] = {hash, bytes, uint32_t(word.size()), count};
    ++word_count_;
}

void WordCounts::resize(size_t slots) {
    std::vector<Word> before(slots);
    std::swap(before, slots_);
    for (const Word &word : before) {
        if (word.bytes == nullptr) continue;
        size_t place = word.hash & (slots - 1);
        while (slots_[place].bytes != nullptr) place = (place + 1) & (slots - 1);
        slots_[place] = word;
    }
}

// Keeps the most frequent words, with half of the room.
void WordCounts::forget_rarest() {
    std::vector<Word> words;
    words.reserve(word_count_);
    for (const Word &word : slots_)
        if (word.bytes != nullptr) words.push_back(word);
    std::sort(words.begin(), words.end(), [](const Word &a, const Word &b) {
        return a.count != b.count ? a.count > b.count : a.hash < b.hash;
    });
    std::deque<std::vector<char>> before;
    std::swap(before, blocks_);
    block_bytes_ = 0;
    word_count_ = 0;
    slots_.assign(slots_.size(), Word());
    size_t kept = 0, bytes = 0;
    const size_t most_words = slots_.size() / 4;
    while (kept < words.size() && kept < most_words && bytes < byte_limit_ / 4) {
        bytes += words[kept].size;
        add(std::string_view(words[kept].bytes, words[kept].size), words[kept].count);
        ++kept;
    }
    forgotten_ += words.size() - kept;
}

bool WordCounts::next(size_t &place, Word &word) const {
    while (place < slots_.size()) {
        word = slots_[place++];
        if (word.bytes != nullptr) return true;
    }
    return false;
}

}  // namespace csp
