#include "data/tokenizer.hpp"

#include "base/error.hpp"
#include "data/byte_alphabet.hpp"
#include "data/normalize.hpp"
#include "data/tokenizer_json.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace precis {
namespace {

constexpr std::string_view end_of_text = "<|endoftext|>";

/// Some tokenizers (GPT-NeoX's) have no tokens for these.
bool never_in_utf8(std::size_t byte) { return byte == 0xC0 || byte == 0xC1 || byte >= 0xF5; }

std::array<std::int32_t, 256> find_byte_tokens(const TokenizerParts& parts,
                                               const std::string& name) {
  std::array<std::int32_t, 256> tokens{};
  tokens.fill(-1);
  for (std::size_t id = 0; id < parts.tokens.size(); ++id) {
    if (parts.tokens[id].size() == 1) {
      tokens[static_cast<unsigned char>(parts.tokens[id][0])] = static_cast<std::int32_t>(id);
    }
  }
  // An added token " " would otherwise hide the byte's own token.
  for (const AddedToken& added : parts.added) {
    require(added.content.size() != 1,
            "{}: the added token {} (\"{}\") is a single byte, which precis does not support.",
            name, added.id, added.content);
  }
  for (std::size_t byte = 0; byte < tokens.size(); ++byte) {
    require(tokens[byte] >= 0 || never_in_utf8(byte),
            "{}: the vocabulary has no token for the byte 0x{:02X}. A byte-level BPE tokenizer, "
            "which has one for each byte of UTF-8 text, was expected.",
            name, byte);
  }
  return tokens;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerParts parts, const std::string& name, std::string json)
    : parts_(std::move(parts)),
      name_(name),
      json_(std::move(json)),
      bpe_(find_byte_tokens(parts_, name), parts_.merges),
      raw_patterns_(patterns_of(parts_, false)),
      normalized_patterns_(patterns_of(parts_, true)) {
  BpeScratch scratch;
  std::vector<std::int32_t> ids;
  for (std::size_t id = 0; id < parts_.tokens.size(); ++id) {
    const std::string& token = parts_.tokens[id];
    if (token.empty()) {
      continue;
    }
    auto& longest = longest_[static_cast<unsigned char>(token[0])];
    longest = std::max(longest, token.size());
    ids.clear();
    bpe_.encode(token, ids, scratch);
    if (ids.size() == 1 && ids[0] == static_cast<std::int32_t>(id)) {
      whole_.emplace(token, ids[0]);
    }
  }
  if (json_.empty()) {
    json_ = write_tokenizer_json(parts_);
  }
}

void Tokenizer::encode_piece(std::string_view piece, std::vector<std::int32_t>& ids,
                             BpeScratch& scratch) const {
  if (const auto found = whole_.find(piece); found != whole_.end()) {
    ids.push_back(found->second);
    return;
  }
  require(piece.size() <= std::size_t{std::numeric_limits<std::int32_t>::max()},
          "A text has a piece of {} bytes without a place to split; at most 2 GiB are encoded.",
          piece.size());
  bpe_.encode(piece, ids, scratch);
}

void Tokenizer::encode_section(std::string_view text, std::vector<std::int32_t>& ids,
                               BpeScratch& scratch) const {
  if (text.empty()) {
    return;
  }
  std::string prefixed;
  if (parts_.add_prefix_space && text.front() != ' ') {
    prefixed.assign(" ").append(text);
    text = prefixed;
  }
  if (!parts_.split) {
    encode_piece(text, ids, scratch);
    return;
  }
  pretokenizer_.split(text, [&](std::string_view piece) { encode_piece(piece, ids, scratch); });
}

std::vector<Tokenizer::Pattern> Tokenizer::patterns_of(const TokenizerParts& parts,
                                                       bool normalized) {
  std::vector<Pattern> patterns;
  for (const AddedToken& token : parts.added) {
    if (token.normalized == normalized) {
      patterns.push_back({normalized && parts.nfc ? normalize_nfc(token.content) : token.content,
                          token.id, token.special});
    }
  }
  std::stable_sort(patterns.begin(), patterns.end(), [](const Pattern& a, const Pattern& b) {
    return a.text.size() > b.text.size();
  });
  return patterns;
}

void Tokenizer::split_added(std::string_view text, const std::vector<Pattern>& patterns,
                            bool special, std::vector<std::int32_t>& ids,
                            const std::function<void(std::string_view)>& visit) {
  std::vector<const Pattern*> active;
  std::array<bool, 256> begins{};
  for (const Pattern& pattern : patterns) {
    if (special || !pattern.special) {
      active.push_back(&pattern);
      begins[static_cast<unsigned char>(pattern.text.front())] = true;
    }
  }
  if (active.empty()) {
    visit(text);
    return;
  }
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto match = begins[static_cast<unsigned char>(text[at])]
                           ? std::find_if(active.begin(), active.end(),
                                          [&](const Pattern* pattern) {
                                            return text.substr(at).starts_with(pattern->text);
                                          })
                           : active.end();
    if (match == active.end()) {
      ++at;
      continue;
    }
    visit(text.substr(start, at - start));
    ids.push_back((*match)->id);
    at += (*match)->text.size();
    start = at;
  }
  visit(text.substr(start));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool special) const {
  std::vector<std::int32_t> ids;
  BpeScratch scratch;
  split_added(text, raw_patterns_, special, ids, [&](std::string_view raw) {
    const std::string composed = parts_.nfc ? normalize_nfc(raw) : std::string();
    split_added(parts_.nfc ? std::string_view(composed) : raw, normalized_patterns_, special, ids,
                [&](std::string_view section) { encode_section(section, ids, scratch); });
  });
  return ids;
}

std::vector<std::int32_t> Tokenizer::encode_beginning(std::string_view text, bool special) const {
  std::vector<std::int32_t> ids = parts_.begin;
  const std::vector<std::int32_t> of_text = encode(text, special);
  ids.insert(ids.end(), of_text.begin(), of_text.end());
  return ids;
}

void Tokenizer::for_each_piece(
    std::string_view text,
    const std::function<void(std::string_view, std::span<const std::int32_t>)>& visit) const {
  BpeScratch scratch;
  std::vector<std::int32_t> ids;
  pretokenizer_.split(text, [&](std::string_view piece) {
    ids.clear();
    encode_piece(piece, ids, scratch);
    visit(piece, ids);
  });
}

bool Tokenizer::pieces_are_local() const {
  return parts_.split && !parts_.nfc && !parts_.add_prefix_space &&
         std::all_of(parts_.added.begin(), parts_.added.end(),
                     [](const AddedToken& token) { return token.special; });
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    if (contains(id)) {
      bytes += parts_.tokens[static_cast<std::size_t>(id)];
    }
  }
  return bytes;
}

std::int32_t Tokenizer::vocabulary() const {
  return static_cast<std::int32_t>(parts_.tokens.size());
}

bool Tokenizer::contains(std::int32_t id) const {
  return id >= 0 && id < vocabulary() && !parts_.tokens[static_cast<std::size_t>(id)].empty();
}

std::optional<std::int32_t> Tokenizer::find_added(std::string_view content) const {
  for (const AddedToken& token : parts_.added) {
    if (token.content == content) {
      return token.id;
    }
  }
  return std::nullopt;
}

std::int32_t Tokenizer::end_token() const {
  const auto id = end_token_ ? end_token_ : find_added(end_of_text);
  require(id.has_value(),
          "{}: the tokenizer has no token {}, which ends a summary. Use a tokenizer that has it.",
          name_, end_of_text);
  return *id;
}

bool Tokenizer::same_as(const Tokenizer& other) const {
  const TokenizerParts& a = parts_;
  const TokenizerParts& b = other.parts_;
  return a.tokens == b.tokens && a.merges == b.merges && a.added == b.added &&
         a.add_prefix_space == b.add_prefix_space && a.split == b.split && a.nfc == b.nfc &&
         a.begin == b.begin;
}

Tokenizer Tokenizer::with_begin(const std::vector<std::int32_t>& ids) const {
  for (const std::int32_t id : ids) {
    require(contains(id), "The begin token {} is not a token of {}.", id, name_);
  }
  Tokenizer changed = from_json(with_template(json_, parts_, ids), name_);
  changed.end_token_ = end_token_;
  changed.begin_token_ = begin_token_;
  changed.model_vocabulary_ = model_vocabulary_;
  return changed;
}

}  // namespace precis
