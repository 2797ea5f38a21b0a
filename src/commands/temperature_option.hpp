// The temperature at which the samples of a table were generated, which their files do not record.
#pragma once

#include <optional>
#include <string>

#include "base/options.hpp"

namespace precis {

/// The key `temperature`.
void add_temperature(OptionTable& table, std::string* variable);

/// Nothing for an empty text. Throws UsageError unless it is a number of at least 0.
[[nodiscard]] std::optional<double> temperature_of(const std::string& text);

/// " at temperature 0.7", for a heading; empty for an empty text.
[[nodiscard]] std::string at_temperature(const std::string& text);

}  // namespace precis
