// The win rate that is left when both summaries are equally long.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "eval/estimate_json.hpp"

namespace precis {

/// One judged pair.
struct LengthObservation {
  double win = 0;          ///< of a: 1, a tie 1/2, else 0
  double log_ratio = 0;    ///< log(length of a / length of b)
  std::uint64_t post = 0;  ///< as in PostValue
};

/// What the two sides of the judged pairs are called in a reason.
struct SideNames {
  std::string a = "a";
  std::string b = "b";
};

struct EqualLength {
  std::optional<Rate> rate;  ///< nothing where it cannot be estimated
  double slope = 0;          ///< of the log odds on the log ratio of the lengths
  std::string reason;        ///< a clause, why there is no rate
};

/// Logistic regression of the win on the log ratio of the lengths; the rate is that of equal
/// lengths, sigmoid(intercept) (Stiennon 2020, appendix F). Its 95% interval is that of the
/// intercept by the jackknife over posts (Tukey 1958; as a cluster-robust variance CV3 in
/// MacKinnon, Nielsen and Webb 2023), one Newton step for each, and t of posts - 1 degrees of
/// freedom. Where the line fits exactly (all ties) it is the model's own variance with the posts as
/// trials. There is no rate where lengths do not vary, where there are fewer than three posts, or
/// where wins and losses are separated by the length alone, so that no finite regression fits best.
[[nodiscard]] EqualLength win_rate_at_equal_length(std::span<const LengthObservation> observations,
                                                   Weight weight, const SideNames& names = {});

/// log(a / b); an empty summary counts as one word.
[[nodiscard]] double log_length_ratio(double words_a, double words_b);

/// {"rate","low","high","slope"}, or {"reason"}
[[nodiscard]] nlohmann::ordered_json to_json(const EqualLength& result);
/// "At equal length ..." as a sentence.
[[nodiscard]] std::string to_text(const EqualLength& result);

}  // namespace precis
