// Rates and means with their 95% intervals, formed over posts.
//
// The rows behind a rate are not independent: samples of a post resemble each other, and so do
// judgements of a pair or of a post. So the spread is taken from one number per post (Liang and
// Zeger 1986; with the t distribution for few posts, Cameron, Gelbach and Miller 2008). Rows enter
// sorted and by their multiplicities over the common divisor of these: an interval has the same
// bits in any order of the rows, and where every row is there k times.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace precis {

/// The normal distribution's 97.5% point.
inline constexpr double normal_975 = 1.959963984540054;

/// The 97.5% point of Student's t distribution with `degrees` (from 1) degrees of freedom.
[[nodiscard]] double student_975(std::int64_t degrees);

/// A rate with its 95% interval.
struct Rate {
  double rate = 0;
  double low = 0;
  double high = 0;
};

/// Wilson's score interval (Wilson 1927) for `successes` of `trials`; halves (ties) may be counted
/// in. `trials` must be positive.
[[nodiscard]] Rate wilson_interval(double successes, double trials);

/// A mean with its 95% interval.
struct Mean {
  double mean = 0;
  double low = 0;
  double high = 0;
};

/// What is known of one sample or one judgement.
struct PostValue {
  std::uint64_t post = 0;  ///< the same number for all of a post: `post_number`
  double value = 0;
};

/// What counts the same in a mean: each post, whatever it has of samples; or each row.
enum class Weight { posts, rows };

/// Of values from 0 to 1. Where each post has wins only or losses only, Wilson's interval with the
/// posts as trials. Else Wilson's with the effective number of trials, rate (1 - rate) / variance,
/// of Korn and Graubard (1998), and t in place of z; the variance is that of the
/// posts' means. Posts that are all equally between 0 and 1 say nothing of the spread and are
/// trials again. Where the samples of a post resemble each other, and posts x rate or posts x (1 -
/// rate) is below 5, fewer than 93% of the intervals may hold the rate: the few posts that make it
/// do not show its variance (simulated; the logit's interval and fewer degrees of freedom do not
/// mend it); the trials are at most the rows there. `values` must not be empty.
[[nodiscard]] Rate rate_over_posts(std::span<const PostValue> values, Weight weight);

/// The mean, plus and minus t (posts - 1 degrees of freedom) standard errors of the posts' means.
/// One post has no interval: its bounds are NaN, which JSON has as null. `values` must not be
/// empty.
[[nodiscard]] Mean mean_over_posts(std::span<const PostValue> values, Weight weight);

/// The mean with the same bits in any order, and where every value is there k times. `values` must
/// not be empty.
[[nodiscard]] double exact_mean(std::span<const double> values);

/// Pairs each value with its post; both have the same length.
[[nodiscard]] std::vector<PostValue> with_posts(std::span<const std::uint64_t> posts,
                                                std::span<const double> values);

/// Whether an interval of a share is wider than a quarter: about 60 judgements are needed to tell
/// one half from chance, and 10 of 10 tell too little.
[[nodiscard]] bool too_wide_to_tell(double low, double high);

/// "0.637 (0.594 to 0.678)"
[[nodiscard]] std::string to_text(const Rate& rate, int digits = 3);
/// "4.2 (-4.0 to 4.4)"; without bounds "4.2".
[[nodiscard]] std::string to_text(const Mean& mean, int digits = 3);

}  // namespace precis
