#include "data/pretokenizer.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <string>

namespace precis {
namespace {

std::string splitting_rule() {
  // Unicode's White_Space, written out: PCRE2's \s differs from it (it has U+180E).
  const std::string space =
      R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{L}\p{N})" + space + "]+|[" + space +
         "]+(?![^" + space + "])|[" + space + "]+";
}

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

pcre2_code* as_code(void* code) { return static_cast<pcre2_code*>(code); }

}  // namespace

void Pretokenizer::FreeCode::operator()(void* code) const { pcre2_code_free(as_code(code)); }

Pretokenizer::Pretokenizer() {
  const std::string pattern = splitting_rule();
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(units(pattern), pattern.size(), PCRE2_UTF | PCRE2_ANCHORED,
                                   &error, &offset, nullptr);
  require(code != nullptr, "PCRE2 could not compile the tokenizer's splitting rule: {}.",
          pcre2_message(error));
  code_ = std::shared_ptr<void>(code, FreeCode{});
  // Where the library has no just-in-time compiler for this machine, its interpreter runs the same
  // rule more slowly.
  const int compiled = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  require(
      compiled == 0 || compiled == PCRE2_ERROR_JIT_BADOPTION || compiled == PCRE2_ERROR_NOMEMORY,
      "PCRE2 could not compile the tokenizer's splitting rule: {}.", pcre2_message(compiled));
}

void Pretokenizer::split(std::string_view text,
                         const std::function<void(std::string_view)>& visit) const {
  struct FreeMatch {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
  require(match != nullptr, "PCRE2 could not allocate its match data.");
  const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());

  while (!text.empty()) {
    const std::string_view valid = text.substr(0, invalid_utf8_at(text).value_or(text.size()));
    // Every character belongs to one of the alternatives, so that each match begins where the one
    // before it ended.
    for (std::size_t at = 0; at < valid.size(); at = bounds[1]) {
      const int found = pcre2_match(as_code(code_.get()), units(valid), valid.size(), at,
                                    PCRE2_NO_UTF_CHECK, match.get(), nullptr);
      require(found > 0, "PCRE2 could not split a text of {} bytes at byte {}: {}.", valid.size(),
              at, pcre2_message(found));
      visit(valid.substr(at, bounds[1] - at));
    }
    text.remove_prefix(valid.size());
    if (!text.empty()) {
      visit(text.substr(0, 1));
      text.remove_prefix(1);
    }
  }
}

}  // namespace precis
