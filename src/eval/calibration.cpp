#include "eval/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <tuple>
#include <vector>

#include "base/random.hpp"

namespace precis {
namespace {

constexpr std::size_t bin_count = std::tuple_size_v<decltype(Calibration::bins)>;
using BinSums = std::array<double, bin_count>;

double probability_of_higher(const Prediction& prediction) {
  return 1 / (1 + std::exp(-prediction.margin));
}

std::size_t bin_of(double probability) {
  const auto count = static_cast<double>(bin_count);
  return static_cast<std::size_t>(std::min((2 * probability - 1) * count, count - 1));
}

double calibration_error(const BinSums& predicted, const BinSums& chosen, std::size_t pairs) {
  double sum = 0;
  for (std::size_t i = 0; i < bin_count; ++i) {
    sum += std::abs(predicted[i] - chosen[i]);
  }
  return sum / static_cast<double>(pairs);
}

/// The 2.5% and the 97.5% point of the errors of a calibrated model, with each judgement drawn
/// independently: where several people judge a pair alike, the errors are larger.
std::array<double, 2> calibrated_errors(std::span<const Prediction> predictions,
                                        const BinSums& predicted) {
  constexpr std::size_t draws = 1000;
  struct Place {
    std::size_t bin;
    double probability;
  };
  std::vector<Place> places;
  BinSums of_ties{};
  for (const Prediction& one : predictions) {
    const double p = probability_of_higher(one);
    if (one.margin == 0) {
      of_ties[bin_of(p)] += 0.5;  // no choice can agree or disagree with equal rewards
    } else {
      places.push_back({bin_of(p), p});
    }
  }
  std::vector<double> errors;
  for (std::size_t draw = 0; draw < draws; ++draw) {
    RandomStream random(1, Purpose::labeler, draw);
    BinSums chosen = of_ties;
    for (const Place& place : places) {
      chosen[place.bin] += random.chance(place.probability) ? 1 : 0;
    }
    errors.push_back(calibration_error(predicted, chosen, predictions.size()));
  }
  std::ranges::sort(errors);
  return {errors[draws / 40], errors[draws - 1 - draws / 40]};
}

}  // namespace

Calibration calibration_of(std::span<const Prediction> predictions) {
  assert(!predictions.empty());
  std::vector<Prediction> sorted(predictions.begin(), predictions.end());
  std::ranges::sort(sorted, {}, [](const Prediction& one) {
    return std::tuple(one.margin, one.chosen, one.post);
  });
  Calibration result;
  const auto count = static_cast<double>(bin_count);
  BinSums predicted{};
  BinSums chosen{};
  std::vector<PostValue> brier;
  std::vector<PostValue> log_loss;
  std::array<std::vector<PostValue>, bin_count> outcomes;
  for (const Prediction& one : sorted) {
    const double p = probability_of_higher(one);
    const std::size_t place = bin_of(p);
    ++result.bins[place].pairs;
    predicted[place] += p;
    chosen[place] += one.chosen;
    outcomes[place].push_back({one.post, one.chosen});
    brier.push_back({one.post, one.chosen * (1 - p) * (1 - p) + (1 - one.chosen) * p * p});
    // -ln sigmoid(margin) = ln(1 + exp(-margin)); that of the other one is more by the margin.
    log_loss.push_back(
        {one.post, std::log1p(std::exp(-one.margin)) + (1 - one.chosen) * one.margin});
  }
  for (std::size_t i = 0; i < bin_count; ++i) {
    CalibrationBin& bin = result.bins[i];
    bin.low = 0.5 + 0.5 * static_cast<double>(i) / count;
    bin.high = 0.5 + 0.5 * static_cast<double>(i + 1) / count;
    if (bin.pairs > 0) {
      bin.predicted = predicted[i] / static_cast<double>(bin.pairs);
      bin.chosen = rate_over_posts(outcomes[i], Weight::rows);
    }
  }
  result.ece = calibration_error(predicted, chosen, sorted.size());
  const auto [low, high] = calibrated_errors(sorted, predicted);
  result.calibrated_low = low;
  result.calibrated_high = high;
  result.brier = mean_of_shares(brier, Weight::rows);
  result.log_loss = mean_over_posts(log_loss, Weight::rows);
  if (result.log_loss.low < 0) {  // as of a share: a loss has no less
    result.log_loss.low = 0;
  }
  return result;
}

std::string to_text(const Calibration& calibration) {
  std::string text = fmt::format("{:<24} {:>8} {:>10} {:>24}\n", "probability of higher", "pairs",
                                 "predicted", "chosen");
  for (const CalibrationBin& bin : calibration.bins) {
    if (bin.pairs > 0) {
      text += fmt::format("{:<24} {:>8} {:>10.3f} {:>24}\n",
                          fmt::format("{:.2f} to {:.2f}", bin.low, bin.high), bin.pairs,
                          bin.predicted, to_text(bin.chosen));
    }
  }
  return text +
         fmt::format(
             "calibration error {:.3f}, of a calibrated model {:.3f} to {:.3f} if judgements "
             "are independent\n"
             "Brier {}, log loss {}\n",
             calibration.ece, calibration.calibrated_low, calibration.calibrated_high,
             to_text(calibration.brier), to_text(calibration.log_loss));
}

nlohmann::ordered_json to_json(const Calibration& calibration) {
  auto bins = nlohmann::ordered_json::array();
  for (const CalibrationBin& bin : calibration.bins) {
    nlohmann::ordered_json json = {{"low", bin.low}, {"high", bin.high}, {"pairs", bin.pairs}};
    if (bin.pairs > 0) {
      json["predicted"] = bin.predicted;
      json["chosen"] = rate_json(bin.chosen);
    }
    bins.push_back(std::move(json));
  }
  return {{"ece", calibration.ece},
          {"ece_if_calibrated",
           {{"low", calibration.calibrated_low}, {"high", calibration.calibrated_high}}},
          {"brier", mean_json(calibration.brier)},
          {"log_loss", mean_json(calibration.log_loss)},
          {"bins", bins}};
}

}  // namespace precis
