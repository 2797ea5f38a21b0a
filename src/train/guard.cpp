#include "train/guard.hpp"

#include <cmath>

#include "base/error.hpp"

namespace precis {

void guard_finite(std::int64_t step, const char* name, double value) {
  require(std::isfinite(value),
          "Step {}: {} is {}. Look at the step's data, and try a lower train.learning_rate or a "
          "smaller train.clip_norm in another run folder.",
          step, name,
          std::isnan(value) ? "nan"
          : value > 0       ? "inf"
                            : "-inf");
}

void guard_loss(std::int64_t step, const char* name, double loss, nlohmann::ordered_json& extra) {
  guard_finite(step, name, loss);
  if (!extra.contains("first_loss")) {
    extra["first_loss"] = loss;
  }
  const double first = extra["first_loss"].get<double>();
  require(loss <= 10 || loss <= 10 * first,
          "Step {}: {} is {:.4g}, more than ten times the {:.4g} it began with. Try a lower "
          "train.learning_rate in another run folder.",
          step, name, loss, first);
}

}  // namespace precis
