#include "commands/temperature_option.hpp"

#include <charconv>
#include <cmath>
#include <system_error>

#include "base/error.hpp"

namespace precis {

void add_temperature(OptionTable& table, std::string* variable) {
  table.add("temperature", variable,
            {.meaning = "at which the samples were generated, shown in the heading and kept in the "
                        "JSON, since their files do not record it; empty: not known"});
}

std::optional<double> temperature_of(const std::string& text) {
  if (text.empty()) {
    return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
      value < 0) {
    fail_usage("--temperature is '{}'; expected a number of at least 0.", text);
  }
  return value;
}

std::string at_temperature(const std::string& text) {
  return text.empty() ? "" : " at temperature " + text;
}

}  // namespace precis
