#include <cmath>

#include "kernels/reference/kernels.hpp"

namespace precis::reference {

void adamw_step(Queue&, View parameter, View first, View second, ConstView gradient,
                ConstView gradient_scale, const AdamW& settings) {
  const double correction1 = 1.0 - std::pow(settings.beta1, settings.update);
  const double correction2 = 1.0 - std::pow(settings.beta2, settings.update);
  for (std::int64_t i = 0; i < parameter.numel(); ++i) {
    const double g = static_cast<double>(gradient.data<float>()[i]) *
                     static_cast<double>(*gradient_scale.data<float>());
    const double m = settings.beta1 * first.data<float>()[i] + (1.0 - settings.beta1) * g;
    const double v = settings.beta2 * second.data<float>()[i] + (1.0 - settings.beta2) * g * g;
    const double update =
        settings.epsilon_place == EpsilonPlace::pytorch
            ? (m / correction1) / (std::sqrt(v / correction2) + settings.epsilon)
            : std::sqrt(correction2) / correction1 * m / (std::sqrt(v) + settings.epsilon);
    const double p = (1.0 - settings.rate * settings.decay) * parameter.data<float>()[i];
    first.data<float>()[i] = static_cast<float>(m);
    second.data<float>()[i] = static_cast<float>(v);
    parameter.data<float>()[i] = static_cast<float>(p - settings.rate * update);
  }
}

}  // namespace precis::reference
