// The estimates of the KL at one response token: for the rewards and for what is reported.
#pragma once

#include <cstddef>

#include "rlhf/experience.hpp"
#include "rlhf/options.hpp"

namespace precis {

/// Nats at response token t, in double. With d = logprobs[t] - reference_logprobs[t]: k1 is d, k3
/// is exp(-d) - 1 + d (Schulman 2020, "Approximating KL divergence"), exact is exact_kls[t]. Under
/// the policy all three have the same expectation, the KL.
[[nodiscard]] double kl_estimate(const Experience& experience, std::size_t t,
                                 KlEstimator estimator);

}  // namespace precis
