// Whether a reward model is as sure as it should be.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "eval/estimate_json.hpp"

namespace precis {

/// A judged pair as the reward model sees it.
struct Prediction {
  double margin = 0;  ///< the higher reward minus the lower one, not negative
  double chosen = 0;  ///< 1 if the higher one was chosen, else 0; 1/2 where the rewards are equal
  std::uint64_t post = 0;  ///< as in PostValue
};

/// Pairs in which the model gives the higher one a probability within a tenth of [1/2, 1].
struct CalibrationBin {
  double low = 0.5;
  double high = 1;
  std::int64_t pairs = 0;
  double predicted = 0;  ///< mean probability, sigmoid(margin), 0 without pairs
  Rate chosen;           ///< share in which the higher one was chosen
};

struct Calibration {
  std::array<CalibrationBin, 10> bins;
  /// Expected calibration error: the mean over pairs of |predicted - chosen| of their bin (Guo
  /// 2017). It is above 0 even where the model is calibrated, the more so the fewer the pairs.
  double ece = 0;
  /// What to compare it with: 95% of the errors that a calibrated model with these probabilities
  /// would show, by drawing the choices from them (consistency resampling, Bröcker and Smith 2007).
  double calibrated_low = 0;
  double calibrated_high = 0;
  Mean brier;     ///< mean (probability of the chosen one - 1)^2; 0.25 is that of a coin
  Mean log_loss;  ///< mean -ln(probability of the chosen one); 0.693 is that of a coin
};

/// The same in any order of `predictions`, which must not be empty.
[[nodiscard]] Calibration calibration_of(std::span<const Prediction> predictions);

[[nodiscard]] std::string to_text(const Calibration& calibration);
[[nodiscard]] nlohmann::ordered_json to_json(const Calibration& calibration);

}  // namespace precis
