// Rates and means with their intervals as JSON, and means of shares.
#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "base/estimates.hpp"

namespace precis {

[[nodiscard]] nlohmann::ordered_json rate_json(const Rate& rate);
[[nodiscard]] nlohmann::ordered_json mean_json(const Mean& mean);

/// `mean_over_posts` of values from 0 to 1: the t interval of a few posts can reach beyond what is
/// possible, and is cut there.
[[nodiscard]] Mean mean_of_shares(std::span<const PostValue> values, Weight weight);

}  // namespace precis
