// Tokenizer files: Hugging Face's tokenizer.json, and a vocabulary with its merges.
#pragma once

#include "data/tokenizer.hpp"

#include <string>
#include <string_view>

namespace precis {

/// The content of a tokenizer.json. Throws Error if it is malformed or asks for something other
/// than byte-level BPE with GPT-2's splitting rule, naming the feature.
[[nodiscard]] TokenizerParts parse_tokenizer_json(std::string_view bytes, const std::string& name);

/// The content of vocab.json and merges.txt (encoder.json and vocab.bpe), whose special token is
/// "<|endoftext|>" if it is in the vocabulary. Throws Error if malformed.
[[nodiscard]] TokenizerParts parse_vocabulary_and_merges(std::string_view vocabulary,
                                                         const std::string& vocabulary_name,
                                                         std::string_view merges,
                                                         const std::string& merges_name);

/// A tokenizer.json; the same parts always give the same bytes.
[[nodiscard]] std::string write_tokenizer_json(const TokenizerParts& parts);

}  // namespace precis
