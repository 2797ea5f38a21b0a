#include "data/response_text.hpp"

#include "data/byte_text.hpp"

namespace precis {

std::string response_text(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  return replace_invalid_utf8(tokenizer.decode(ids));
}

}  // namespace precis
