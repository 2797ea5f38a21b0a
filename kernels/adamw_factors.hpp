// The factors of one AdamW step that are the same for every element.
#pragma once

#include <cmath>

#include "kernels/kernels.hpp"

namespace precis {

struct AdamWFactors {
  float keep;        ///< 1 - rate * decay.
  float beta1_rest;  ///< 1 - beta1.
  float beta2;
  float beta2_rest;  ///< 1 - beta2.
  float root_scale;  ///< Of the root of the second moment, before epsilon is added.
  float epsilon;
  float step;  ///< Of the first moment over the denominator.
};

inline AdamWFactors adamw_factors(const AdamW& settings) {
  const auto update = static_cast<double>(settings.update);
  const double correction1 = 1.0 - std::pow(settings.beta1, update);
  const double correction2 = std::sqrt(1.0 - std::pow(settings.beta2, update));
  const bool corrects_root = settings.epsilon_place == EpsilonPlace::pytorch;
  return {
      .keep = static_cast<float>(1.0 - settings.rate * settings.decay),
      .beta1_rest = static_cast<float>(1.0 - settings.beta1),
      .beta2 = static_cast<float>(settings.beta2),
      .beta2_rest = static_cast<float>(1.0 - settings.beta2),
      .root_scale = corrects_root ? static_cast<float>(1.0 / correction2) : 1.0F,
      .epsilon = static_cast<float>(settings.epsilon),
      .step = static_cast<float>(settings.rate / correction1 * (corrects_root ? 1.0 : correction2)),
  };
}

}  // namespace precis
