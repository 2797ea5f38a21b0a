#include "eval/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

namespace precis {

Calibration calibration_of(std::span<const Prediction> of) {
  assert(!of.empty());
  Calibration result;
  const auto count = static_cast<double>(result.bins.size());
  std::array<double, 10> chosen{};
  std::vector<double> brier;
  std::vector<double> log_loss;
  for (const Prediction& one : of) {
    const double p = 1 / (1 + std::exp(-one.margin));
    const auto place = static_cast<std::size_t>(std::min((2 * p - 1) * count, count - 1));
    CalibrationBin& bin = result.bins[place];
    ++bin.pairs;
    bin.predicted += p;
    chosen[place] += one.chosen;
    brier.push_back(one.chosen * (1 - p) * (1 - p) + (1 - one.chosen) * p * p);
    // -ln sigmoid(margin) = ln(1 + exp(-margin)); that of the other one is more by the margin.
    log_loss.push_back(std::log1p(std::exp(-one.margin)) + (1 - one.chosen) * one.margin);
  }
  for (std::size_t i = 0; i < result.bins.size(); ++i) {
    CalibrationBin& bin = result.bins[i];
    bin.low = 0.5 + 0.5 * static_cast<double>(i) / count;
    bin.high = 0.5 + 0.5 * static_cast<double>(i + 1) / count;
    if (bin.pairs > 0) {
      bin.predicted /= static_cast<double>(bin.pairs);
      bin.chosen = wilson_interval(chosen[i], bin.pairs);
      result.ece += std::abs(bin.predicted - bin.chosen.rate) * static_cast<double>(bin.pairs) /
                    static_cast<double>(of.size());
    }
  }
  result.brier = mean_interval(brier);
  result.log_loss = mean_interval(log_loss);
  return result;
}

std::string to_text(const Calibration& of) {
  std::string text = fmt::format("{:<24} {:>8} {:>10} {:>22}\n", "probability of higher", "pairs",
                                 "predicted", "chosen");
  for (const CalibrationBin& bin : of.bins) {
    if (bin.pairs > 0) {
      text += fmt::format("{:<24} {:>8} {:>10.3f} {:>22}\n",
                          fmt::format("{:.2f} to {:.2f}", bin.low, bin.high), bin.pairs,
                          bin.predicted, to_text(bin.chosen));
    }
  }
  return text + fmt::format("calibration error {:.3f}, Brier {}, log loss {}\n", of.ece,
                            to_text(of.brier), to_text(of.log_loss));
}

nlohmann::ordered_json to_json(const Calibration& of) {
  auto bins = nlohmann::ordered_json::array();
  for (const CalibrationBin& bin : of.bins) {
    nlohmann::ordered_json json = {{"low", bin.low}, {"high", bin.high}, {"pairs", bin.pairs}};
    if (bin.pairs > 0) {
      json["predicted"] = bin.predicted;
      json["chosen"] = rate_json(bin.chosen);
    }
    bins.push_back(std::move(json));
  }
  return {{"ece", of.ece},
          {"brier", mean_json(of.brier)},
          {"log_loss", mean_json(of.log_loss)},
          {"bins", bins}};
}

}  // namespace precis
