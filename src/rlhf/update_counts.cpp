#include "rlhf/update_counts.hpp"

#include <nlohmann/json.hpp>

namespace precis {

void write_update_counts(nlohmann::ordered_json& extra, const UpdateCounts& counts) {
  extra["updates"] = counts.policy;
  extra["value_updates"] = counts.value;
}

UpdateCounts read_update_counts(const nlohmann::ordered_json& extra) {
  const auto policy = extra.at("updates").get<std::int64_t>();
  return {.policy = policy, .value = extra.value("value_updates", policy)};
}

}  // namespace precis
