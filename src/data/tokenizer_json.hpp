// Tokenizer files: Hugging Face's tokenizer.json, and a vocabulary with its merges.
#pragma once

#include "data/tokenizer.hpp"

#include <string>
#include <string_view>

namespace precis {

/// The content of a tokenizer.json. Throws Error if it is malformed or asks for something other
/// than byte-level BPE with GPT-2's splitting rule, or a post-processor that adds more than tokens
/// before a text, naming the feature. The id of an added token is the one that the reference
/// library (huggingface/tokenizers) gives it: the vocabulary's, else the next after the vocabulary
/// and the added tokens before it; a note says where the file has another. Also throws Error if
/// that id belongs to another token.
[[nodiscard]] TokenizerParts parse_tokenizer_json(std::string_view bytes, const std::string& name);

/// The content of vocab.json and merges.txt (encoder.json and vocab.bpe), whose special token is
/// "<|endoftext|>" if it is in the vocabulary. Throws Error if malformed.
[[nodiscard]] TokenizerParts parse_vocabulary_and_merges(std::string_view vocabulary,
                                                         const std::string& vocabulary_name,
                                                         std::string_view merges,
                                                         const std::string& merges_name);

/// The tokenizer.json `bytes`, whose parts these are, with a post-processor that puts `begin`
/// before a text; none if it is empty.
[[nodiscard]] std::string with_template(std::string_view bytes, const TokenizerParts& parts,
                                        const std::vector<std::int32_t>& begin);

/// A tokenizer.json; the same parts always give the same bytes.
[[nodiscard]] std::string write_tokenizer_json(const TokenizerParts& parts);

}  // namespace precis
