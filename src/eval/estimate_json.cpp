#include "eval/estimate_json.hpp"

#include <algorithm>

namespace precis {

nlohmann::ordered_json rate_json(const Rate& rate) {
  return {{"rate", rate.rate}, {"low", rate.low}, {"high", rate.high}};
}

nlohmann::ordered_json mean_json(const Mean& mean) {
  return {{"mean", mean.mean}, {"low", mean.low}, {"high", mean.high}};
}

Mean mean_of_shares(std::span<const PostValue> values, Weight weight) {
  Mean mean = mean_over_posts(values, weight);
  mean.low = std::clamp(mean.low, 0.0, 1.0);
  mean.high = std::clamp(mean.high, 0.0, 1.0);
  return mean;
}

}  // namespace precis
