#include "data/response_text.hpp"

#include "data/byte_text.hpp"

namespace precis {

std::string response_text(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  std::string bytes;
  for (const std::int32_t id : ids) {
    bytes += tokenizer.contains(id) ? tokenizer.decode({&id, 1}) : std::string("\xEF\xBF\xBD");
  }
  return replace_invalid_utf8(bytes);
}

}  // namespace precis
