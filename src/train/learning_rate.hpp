// The learning rate of a step.
#pragma once

#include <cstdint>

#include "train/train_options.hpp"

namespace precis {

/// The rate at step s (from 0) of S (CONTRACT section 2): peak*(s+1)/w during the w warm-up steps,
/// then with p = (s-w)/(S-w) linear peak*(1 - (1-final)*p) or cosine peak*(final +
/// (1-final)*(1+cos(pi p))/2).
[[nodiscard]] double learning_rate(const TrainOptions& options, double peak, std::int64_t step,
                                   std::int64_t steps);

}  // namespace precis
