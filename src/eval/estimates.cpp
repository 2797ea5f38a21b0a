#include "eval/estimates.hpp"

namespace precis {

nlohmann::ordered_json rate_json(const Rate& rate) {
  return {{"rate", rate.rate}, {"low", rate.low}, {"high", rate.high}};
}

nlohmann::ordered_json mean_json(const Mean& mean) {
  return {{"mean", mean.mean}, {"low", mean.low}, {"high", mean.high}};
}

}  // namespace precis
