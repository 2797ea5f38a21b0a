#include "rlhf/kl_estimate.hpp"

#include <cmath>

namespace precis {

double kl_estimate(const Experience& e, std::size_t t, KlEstimator estimator) {
  const double k1 =
      static_cast<double>(e.logprobs[t]) - static_cast<double>(e.reference_logprobs[t]);
  switch (estimator) {
    case KlEstimator::k1:
      break;
    case KlEstimator::k3:
      return std::expm1(-k1) + k1;
    case KlEstimator::exact:
      return static_cast<double>(e.exact_kls[t]);
  }
  return k1;
}

}  // namespace precis
