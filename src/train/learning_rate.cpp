#include "train/learning_rate.hpp"

#include <cmath>
#include <numbers>

namespace precis {

double learning_rate(const TrainOptions& o, double peak, std::int64_t step, std::int64_t steps) {
  if (step < o.warmup_steps) {
    return peak * static_cast<double>(step + 1) / static_cast<double>(o.warmup_steps);
  }
  if (o.schedule == Schedule::constant || steps <= o.warmup_steps) {
    return peak;
  }
  const double done =
      static_cast<double>(step - o.warmup_steps) / static_cast<double>(steps - o.warmup_steps);
  if (o.schedule == Schedule::linear) {
    return peak * (1.0 - (1.0 - o.final_rate) * done);
  }
  return peak *
         (o.final_rate + (1.0 - o.final_rate) * 0.5 * (1.0 + std::cos(std::numbers::pi * done)));
}

}  // namespace precis
