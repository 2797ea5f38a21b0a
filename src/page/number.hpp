// Numbers as people read them.
#pragma once

#include <string>

namespace precis {

/// About four significant digits: "0.3488", "12,345", "2.8e-6", "1.38M". "none" for what is not a
/// finite number.
[[nodiscard]] std::string number_text(double value);

/// A share as a percentage: "12.3%".
[[nodiscard]] std::string percent_text(double share);

}  // namespace precis
