// The KL of the rewards against the truth: with 4 tokens and responses of 2, all 16 responses can
// be enumerated, so that expectations and their gradients are sums.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "kernels/cpu/kernels.hpp"
#include "kernels/exact_sum.hpp"
#include "model/evaluator.hpp"
#include "model/tiny.hpp"
#include "rlhf/batch_report.hpp"
#include "rlhf/kl_estimate.hpp"
#include "rlhf/rewards.hpp"

namespace precis {
namespace {

constexpr int tokens = 4;
constexpr int contexts = 1 + tokens;  // before the first token, and after each of the four
constexpr int responses = tokens * tokens;
constexpr std::array estimators{KlEstimator::k1, KlEstimator::k3, KlEstimator::exact};
/// Log-probs, rewards and gradients are f32 numbers of about 1, each right to 6e-8 of itself; the
/// sums have up to 32 terms of which most cancel in rounding.
constexpr double tolerance = 1e-6;

using Logits = std::array<std::array<double, tokens>, contexts>;

/// Response y is the tokens y / 4, y % 4.
std::array<std::int32_t, 2> response_of(int y) { return {y / tokens, y % tokens}; }
/// The row of logits that token t of response y is drawn from.
int context_of(int y, int t) { return t == 0 ? 0 : 1 + y / tokens; }

Logits drawn_logits(std::uint64_t number) {
  RandomStream draws(11, Purpose::testing, number);
  Logits logits;
  for (auto& row : logits) {
    for (double& logit : row) {
      logit = static_cast<float>(3 * draws.uniform() - 1.5);  // f32, as the program has it
    }
  }
  return logits;
}

double log_prob(const std::array<double, tokens>& row, int token, double temperature) {
  double sum = 0;
  for (const double logit : row) {
    sum += std::exp(logit / temperature);
  }
  return row[static_cast<std::size_t>(token)] / temperature - std::log(sum);
}

/// The KL of the distribution over responses, from its definition.
double true_kl(const Logits& policy, const Logits& reference, double temperature) {
  const auto of_response = [&](const Logits& logits, int y) {
    double sum = 0;
    for (const int t : {0, 1}) {
      sum += log_prob(logits[static_cast<std::size_t>(context_of(y, t))],
                      response_of(y)[static_cast<std::size_t>(t)], temperature);
    }
    return sum;
  };
  double kl = 0;
  for (int y = 0; y < responses; ++y) {
    const double log_p = of_response(policy, y);
    kl += std::exp(log_p) * (log_p - of_response(reference, y));
  }
  return kl;
}

/// d f / d logits by central differences; their error is about 1e-10.
template <class F>
Logits derivative(const Logits& at, F&& f) {
  constexpr double h = 1e-5;
  Logits out;
  for (std::size_t c = 0; c < contexts; ++c) {
    for (std::size_t v = 0; v < tokens; ++v) {
      Logits moved = at;
      moved[c][v] = at[c][v] + h;
      const double above = f(moved);
      moved[c][v] = at[c][v] - h;
      out[c][v] = (above - f(moved)) / (2 * h);
    }
  }
  return out;
}

double distance(const Logits& a, const Logits& b) {
  double most = 0;
  for (std::size_t c = 0; c < contexts; ++c) {
    for (std::size_t v = 0; v < tokens; ++v) {
      most = std::max(most, std::abs(a[c][v] - b[c][v]));
    }
  }
  return most;
}

Logits sum(Logits a, const Logits& b) {
  for (std::size_t c = 0; c < contexts; ++c) {
    for (std::size_t v = 0; v < tokens; ++v) {
      a[c][v] += b[c][v];
    }
  }
  return a;
}

/// Rewards that are the negative KL alone: no score, no value network, nothing discounted.
PpoOptions kl_only(KlEstimator estimator) {
  PpoOptions options;
  options.kl_estimator = estimator;
  options.gamma = 1;
  options.lambda = 1;
  options.value_lambda = 1;
  return options;
}

/// All 16 responses, from statistics of them in order.
std::vector<Experience> all_responses(const TokenStatistics& statistics) {
  std::vector<Experience> all;
  for (int y = 0; y < responses; ++y) {
    const auto i = static_cast<std::size_t>(y);
    Experience& e = all.emplace_back();
    const auto response = response_of(y);
    e.episode.response.assign(response.begin(), response.end());
    e.episode.ended = true;
    e.episode.rollout_logprobs = statistics.logprobs[i];
    e.logprobs = e.policy_logprobs = statistics.logprobs[i];
    e.reference_logprobs = statistics.reference_logprobs[i];
    e.entropies = statistics.entropies[i];
    e.exact_kls = statistics.kls[i];
    e.values.assign(2, 0.0F);
  }
  return all;
}

double probability(const Experience& e) {
  return std::exp(static_cast<double>(e.logprobs[0]) + static_cast<double>(e.logprobs[1]));
}

/// Expects that what is paid and what is reported of each estimator has the expectation `kl`.
void expect_expectations(std::vector<Experience> all, double kl) {
  double whole = 0;
  for (const Experience& e : all) {
    whole += probability(e);
  }
  EXPECT_NEAR(whole, 1, tolerance) << "the responses are all that there are";
  for (const KlEstimator estimator : estimators) {
    double paid = 0;
    double reported = 0;
    double reported_reward = 0;
    for (Experience& e : all) {
      assign_rewards(e, kl_only(estimator), 1.0);
      const double p = probability(e);
      paid -= p * (static_cast<double>(e.rewards[0]) + static_cast<double>(e.rewards[1]));
      const BatchReport report = report_of({&e, 1}, 1.0, estimator);
      reported += p * (estimator == KlEstimator::k1   ? report.kl_k1
                       : estimator == KlEstimator::k3 ? report.kl_k3
                                                      : report.kl_exact);
      reported_reward += p * report.rlhf_reward;
    }
    const int which = static_cast<int>(estimator);
    EXPECT_NEAR(paid, kl, tolerance) << "estimator " << which;
    EXPECT_NEAR(reported, kl, tolerance) << "estimator " << which;
    EXPECT_NEAR(reported_reward, -kl, tolerance) << "estimator " << which;
  }
}

/// A policy whose logits are a table: a language head on hidden states that say the context.
class Table {
 public:
  Table(Device& device, const Logits& logits)
      : parameters(device, {{"head/weight", whole({tokens, contexts})}}), head(device, parameters) {
    std::vector<float> host;
    for (std::size_t v = 0; v < tokens; ++v) {
      for (std::size_t c = 0; c < contexts; ++c) {
        host.push_back(static_cast<float>(logits[c][v]));
      }
    }
    device.backend().copy_to_device(device.queue(), parameters.at(0),
                                    view_of(host.data(), parameters.at(0).shape()));
    parameters.changed();
  }

  Parameters parameters;
  LanguageHead head;
};

class KlOfTables : public testing::TestWithParam<double> {
 protected:
  KlOfTables() {
    std::vector<float> host(static_cast<std::size_t>(2 * responses * contexts), 0.0F);
    for (int y = 0; y < responses; ++y) {
      for (const int t : {0, 1}) {
        host[static_cast<std::size_t>((2 * y + t) * contexts + context_of(y, t))] = 1.0F;
        targets.push_back(response_of(y)[static_cast<std::size_t>(t)]);
      }
    }
    hidden = workspace.upload(host).reshaped({2 * responses, contexts});
  }

  [[nodiscard]] std::vector<Experience> experience() {
    const auto found = policy.head.statistics(
        policy.parameters, workspace, hidden, targets, temperature,
        LanguageHead::Reference{reference.head, reference.parameters, hidden});
    const auto by_response = [&](ConstView numbers) {
      const auto flat = device.to_host<float>(numbers);
      std::vector<std::vector<float>> out;
      for (std::size_t y = 0; y < responses; ++y) {
        out.push_back({flat[2 * y], flat[2 * y + 1]});
      }
      return out;
    };
    return all_responses({.logprobs = by_response(found.logprob),
                          .entropies = by_response(found.entropy),
                          .kls = by_response(found.kl),
                          .reference_logprobs = by_response(found.reference_logprob)});
  }

  /// d / d logits of a sum over all tokens whose derivatives by the log-probs `loss` gives.
  [[nodiscard]] Logits gradient(const LanguageHead::LossGradient& loss) {
    Parameters gradients(device, policy.parameters.specs());
    (void)policy.head.forward_backward(policy.parameters, gradients, workspace, hidden, targets,
                                       temperature, loss);
    const auto flat = device.to_host<float>(gradients.at(0));
    Logits out;
    for (std::size_t v = 0; v < tokens; ++v) {
      for (std::size_t c = 0; c < contexts; ++c) {
        out[c][v] = static_cast<double>(flat[v * contexts + c]);
      }
    }
    return out;
  }
  void write(View to, const std::vector<float>& numbers) {
    device.backend().copy_to_device(device.queue(), to, view_of(numbers.data(), to.shape()));
  }

  /// What PPO's loss makes of the rewards, each response as often as it is sampled: the advantages
  /// are the rewards to come, and the loss at its first update.
  [[nodiscard]] Logits policy_gradient(KlEstimator estimator) {
    std::vector<float> weighted;
    for (Experience& e : all) {
      assign_rewards(e, kl_only(estimator), 1.0);
      for (const float advantage : e.advantages) {
        weighted.push_back(static_cast<float>(probability(e) * static_cast<double>(advantage)));
      }
    }
    const View advantages = workspace.upload(weighted);
    Tensor sums =
        device.zeros({static_cast<std::int64_t>(PolicySum::count), exact_sum_words}, DType::i64);
    Tensor ratio_max = device.zeros({1}, DType::f64);
    return gradient([&](View dlogprob, ConstView logprob, std::int64_t begin, std::int64_t end) {
      device.backend().ppo_policy_loss(device.queue(), dlogprob, sums.view(), ratio_max.view(),
                                       logprob, logprob, advantages.rows(begin, end), 0.2, 1.0);
    });
  }

  /// sum_y p(y) sum_t d estimate_t / d logits: what no reward has.
  [[nodiscard]] Logits direct_term(KlEstimator estimator) {
    if (estimator == KlEstimator::exact) {
      // A row's KL, as often as the row is met.
      std::array<double, contexts> met{};
      for (int y = 0; y < responses; ++y) {
        for (const int t : {0, 1}) {
          met[static_cast<std::size_t>(context_of(y, t))] +=
              probability(all[static_cast<std::size_t>(y)]);
        }
      }
      return derivative(logits, [&](const Logits& moved) {
        double kl = 0;
        for (std::size_t c = 0; c < contexts; ++c) {
          for (int v = 0; v < tokens; ++v) {
            const double log_p = log_prob(moved[c], v, temperature);
            kl +=
                met[c] * std::exp(log_p) * (log_p - log_prob(reference_logits[c], v, temperature));
          }
        }
        return kl;
      });
    }
    // d k1 / d logprob = 1, d k3 / d logprob = 1 - exp(-k1).
    std::vector<float> weighted;
    for (const Experience& e : all) {
      for (const std::size_t t : {0, 1}) {
        const double slope =
            estimator == KlEstimator::k1 ? 1.0 : -std::expm1(-kl_estimate(e, t, KlEstimator::k1));
        weighted.push_back(static_cast<float>(probability(e) * slope));
      }
    }
    return gradient([&](View dlogprob, ConstView, std::int64_t begin, std::int64_t end) {
      write(dlogprob, {weighted.begin() + begin, weighted.begin() + end});
    });
  }

  const double temperature = GetParam();
  const Logits logits = drawn_logits(0);
  const Logits reference_logits = drawn_logits(1);
  Device device{cpu::backend};
  Workspace workspace{device};
  Table policy{device, logits};
  Table reference{device, reference_logits};
  std::vector<std::int32_t> targets;
  ConstView hidden;
  std::vector<Experience> all;
};

TEST_P(KlOfTables, IsWhatEachEstimatorIsOnAverage) {
  expect_expectations(experience(), true_kl(logits, reference_logits, temperature));
}

TEST_P(KlOfTables, HasTheGradientOfRewardsAndDirectTerm) {
  all = experience();
  const Logits expected = derivative(
      logits, [&](const Logits& moved) { return true_kl(moved, reference_logits, temperature); });
  const Logits nothing{};
  EXPECT_GT(distance(expected, nothing), 0.1);
  for (const KlEstimator estimator : estimators) {
    const Logits of_rewards = policy_gradient(estimator);
    const Logits direct = direct_term(estimator);
    EXPECT_LT(distance(sum(of_rewards, direct), expected), tolerance)
        << "estimator " << static_cast<int>(estimator);
    if (estimator == KlEstimator::k1) {
      EXPECT_LT(distance(direct, nothing), tolerance);
      EXPECT_LT(distance(of_rewards, expected), tolerance) << "the rewards alone are enough";
    } else {
      EXPECT_GT(distance(of_rewards, expected), 0.05) << "what is left out is not nothing";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Temperatures, KlOfTables, testing::Values(1.0, 0.7),
                         [](const auto& of) { return of.param == 1.0 ? "One" : "Lower"; });

/// A real model: statistics as the learner has them.
TEST(KlOfModels, IsWhatEachEstimatorIsOnAverage) {
  Device device(cpu::backend);
  const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.vocabulary = tokens;
    c.end_tokens = {};
    c.context = 8;
  });
  const Model policy = make_model(device, config, {}, 1);
  const Model reference = make_model(device, config, {}, 2);
  const std::vector<std::int32_t> prompt{1, 3, 0};
  std::vector<std::array<std::int32_t, 2>> texts;
  for (int y = 0; y < responses; ++y) {
    texts.push_back(response_of(y));
  }
  std::vector<Sequence> sequences;
  for (const auto& text : texts) {
    sequences.push_back({prompt, text});
  }
  Evaluator of_policy(device, policy.config, policy.parameters, 20);
  Evaluator of_reference(device, reference.config, reference.parameters, 20);
  const LanguageHead reference_head(device, reference.parameters);
  for (const double temperature : {1.0, 0.7}) {
    const auto hidden = of_reference.hidden_states(reference.parameters, sequences);
    const auto all = all_responses(
        of_policy.statistics(policy.parameters, sequences, temperature,
                             Evaluator::Reference{reference_head, reference.parameters, hidden}));
    double kl = 0;
    const auto other = of_reference.statistics(reference.parameters, sequences, temperature);
    for (std::size_t y = 0; y < all.size(); ++y) {
      double log_ratio = 0;
      for (const std::size_t t : {0, 1}) {
        log_ratio +=
            static_cast<double>(all[y].logprobs[t]) - static_cast<double>(other.logprobs[y][t]);
      }
      kl += probability(all[y]) * log_ratio;
    }
    EXPECT_GT(kl, 0.01) << "the models differ";
    expect_expectations(all, kl);
  }
}

}  // namespace
}  // namespace precis
