// The style sheet of the pages.
#pragma once

#include <string_view>

namespace precis {

/// CSS for light and dark, wide and narrow screens, and paper. Colours 0 to 7 of charts are told
/// apart with every common kind of colour vision (after Okabe and Ito 2008).
[[nodiscard]] std::string_view style_sheet();

}  // namespace precis
