// Unicode normalization form C.
#pragma once

#include <string>
#include <string_view>

namespace precis {

/// Text in normalization form C (Unicode Standard Annex 15), by the Unicode data of Hugging Face's
/// tokenizers: a library of the system (utf8proc) knows newer characters, so that token ids would
/// differ from theirs and from one system to the next. Bytes that are not UTF-8 stay as they are,
/// and nothing is composed across them.
[[nodiscard]] std::string normalize_nfc(std::string_view text);

}  // namespace precis
