// Rates and means with their intervals as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "base/estimates.hpp"

namespace precis {

[[nodiscard]] nlohmann::ordered_json rate_json(const Rate& rate);
[[nodiscard]] nlohmann::ordered_json mean_json(const Mean& mean);

}  // namespace precis
