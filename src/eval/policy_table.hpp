// Policies side by side under the gold labeler, beside the reference summaries.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/copying.hpp"
#include "eval/win.hpp"

namespace precis {

/// One policy's samples, one list per row.
struct JudgedPolicy {
  std::string name;
  std::vector<std::vector<SampledSummary>> samples;
  std::optional<double> kl = {};  ///< to the first policy, nats per summary, where it was measured
};

struct PolicyColumn {
  std::string name;
  GoldMeans means;
  std::optional<double> kl = {};
  CopyingMeans copying;  ///< from the posts
  std::optional<WinCount> against_references = {};
  std::optional<WinCount> against_first = {};  ///< against the first policy
};

/// The references, then each policy. All policies must have the same number of samples of each row;
/// throws Error otherwise.
[[nodiscard]] std::vector<PolicyColumn> policy_table(const std::vector<GoldRow>& rows,
                                                     const std::vector<JudgedPolicy>& policies);

/// The KL divergence of a policy from another, in nats per summary: the mean over its samples of
/// the sum of (log-prob under the policy - log-prob under the other) (estimator k1, Schulman 2020).
/// `samples` is a file of `precis sample` at temperature 1, `scores` what `precis score` with the
/// other model wrote for it. Throws Error where the two files do not belong together.
[[nodiscard]] double mean_kl(const std::string& samples, const std::string& scores);

/// A list of objects with `name` and, as far as a column has them, the fields of
/// `policy_quantities`; a rate that cannot be given is {"reason"}.
[[nodiscard]] nlohmann::ordered_json to_json(const std::vector<PolicyColumn>& columns);

/// A line of the table.
struct PolicyQuantity {
  std::string name;   ///< as people read it
  std::string field;  ///< of a policy in the JSON: a pointer (RFC 6901)
  int digits = 3;
};
/// The lines in their order; `first` is the name of the policy that others are compared with.
[[nodiscard]] std::vector<PolicyQuantity> policy_quantities(const std::string& first);

/// The text of a cell without a number.
inline constexpr std::string_view no_number = "-";
/// The quantity of a policy in the JSON, with its interval where it has one: "0.644",
/// "0.606 (0.584 to 0.627)". The JSON may be anything.
[[nodiscard]] std::string cell_text(const nlohmann::json& policy, const PolicyQuantity& quantity);

/// The table for people, with a line per quantity and a column per policy.
[[nodiscard]] std::string to_text(const std::vector<PolicyColumn>& columns);

}  // namespace precis
