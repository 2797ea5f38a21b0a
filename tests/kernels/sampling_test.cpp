// Drawing tokens: the distribution, the filters, and what a draw depends on.
#include <omp.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/harness.hpp"
#include "support/real_data.hpp"

namespace precis::test {
namespace {

/// Whether the kernels under test run on the host thread by thread, where a row takes some 20 ms.
bool is_slow() { return backend_under_test().describe().starts_with("the host, thread by thread"); }

struct Draws {
  std::vector<std::int32_t> tokens;
  std::vector<float> logprobs;
};

/// One token a row; row b has episode `episode + b` and position 3 unless told.
Draws draw(const Backend& backend, const HostTensor& logits, const SamplingRule& rule,
           std::int64_t episode = 0, std::int32_t position = 3, SumParts parts = {}) {
  const std::int64_t rows = logits.shape()[0];
  HostTensor episodes(DType::i64, {rows});
  HostTensor positions(DType::i32, {rows});
  for (std::int64_t b = 0; b < rows; ++b) {
    episodes.data<std::int64_t>()[b] = episode + b;
    positions.data<std::int32_t>()[b] = position;
  }
  const auto result = run_on(backend, [&](test::Run& run) {
    run.backend.sample(run.queue, run.out("tokens", zeros({rows}, DType::i32)),
                       run.out("logprob", zeros({rows})), run.in(logits), run.in(episodes),
                       run.in(positions), rule, parts);
  });
  return {result.at("tokens").values<std::int32_t>(), result.at("logprob").values<float>()};
}

/// The same logits in every row.
HostTensor repeated(const std::vector<float>& logits, std::int64_t rows) {
  std::vector<float> all;
  for (std::int64_t b = 0; b < rows; ++b) {
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return {{rows, static_cast<std::int64_t>(logits.size())}, all};
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature) {
  std::vector<double> p;
  double sum = 0.0;
  for (const float logit : logits) {
    p.push_back(std::exp(static_cast<double>(logit) / temperature));
    sum += p.back();
  }
  for (double& value : p) {
    value /= sum;
  }
  return p;
}

/// The tokens that many draws show; where these take too long, those of reference, if some draws
/// are the same.
std::set<std::int32_t> support(const std::vector<float>& logits, const SamplingRule& rule,
                               const Backend& backend = backend_under_test()) {
  constexpr std::int64_t count = 2000;
  constexpr std::int64_t slow_count = 12;
  const bool is_fast = &backend == &reference::backend || !is_slow();
  const Draws draws = draw(is_fast ? backend : reference::backend, repeated(logits, count), rule);
  if (!is_fast) {
    EXPECT_EQ(draw(backend, repeated(logits, slow_count), rule).tokens,
              std::vector<std::int32_t>(draws.tokens.begin(), draws.tokens.begin() + slow_count));
  }
  return {draws.tokens.begin(), draws.tokens.end()};
}

/// Chi-square of 20,000 draws against the distribution that is left of softmax(logits/temperature)
/// by `kept`.
void expect_distribution(const std::vector<float>& logits, const SamplingRule& rule,
                         const std::set<std::int32_t>& kept) {
  const std::int64_t count = is_slow() ? 30 : 20000;
  std::vector<double> p = softmax(logits, rule.temperature);
  double left = 0.0;
  for (const std::int32_t token : kept) {
    left += p[static_cast<std::size_t>(token)];
  }
  std::vector<double> seen(logits.size());
  for (const std::int32_t token :
       draw(backend_under_test(), repeated(logits, count), rule).tokens) {
    ASSERT_TRUE(kept.count(token) == 1) << "token " << token << " should have been filtered";
    seen[static_cast<std::size_t>(token)] += 1.0;
  }
  double chi_square = 0.0;
  for (const std::int32_t token : kept) {
    const double expected = p[static_cast<std::size_t>(token)] / left * static_cast<double>(count);
    const double difference = seen[static_cast<std::size_t>(token)] - expected;
    chi_square += difference * difference / expected;
  }
  // Mean plus five deviations of a chi-square with so many degrees of freedom.
  const double freedom = static_cast<double>(kept.size()) - 1.0;
  EXPECT_LT(chi_square, freedom + 5.0 * std::sqrt(2.0 * freedom));
}

const std::vector<float> eleven{0.3F, -1.0F, 2.0F,  1.1F, 0.0F, -0.4F,
                                1.7F, 0.9F,  -2.0F, 0.5F, 1.2F};

TEST(Sample, FollowsTheDistribution) {
  const std::set<std::int32_t> all{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  expect_distribution(eleven, {.seed = 1}, all);
  expect_distribution(eleven, {.seed = 2, .temperature = 0.7}, all);
  expect_distribution(eleven, {.seed = 3, .top_k = 5}, {2, 6, 10, 3, 7});
  // In falling order the probabilities are .275 .204 .124 .112 .092 .061 .050 ...: 0.9 is crossed
  // by the seventh token, 0 after 9.
  expect_distribution(eleven, {.seed = 4, .top_p = 0.9}, {2, 6, 10, 3, 7, 9, 0});
  expect_distribution(eleven, {.seed = 5, .temperature = 0.7, .top_k = 5, .top_p = 0.6}, {2, 6});
}

TEST(Sample, FollowsTheDistributionOverManyTokens) {
  // More tokens than are treated at a time, and not a whole number of vectors.
  std::vector<float> logits;
  std::set<std::int32_t> all;
  for (std::int32_t v = 0; v < 2500; ++v) {
    logits.push_back(v % 250 == 3 ? 6.0F : -1.0F);
    all.insert(v);
  }
  const std::int64_t count = is_slow() ? 30 : 4000;
  const std::vector<double> p = softmax(logits, 1.0);
  std::vector<double> seen(10);
  for (const std::int32_t token :
       draw(backend_under_test(), repeated(logits, count), {.seed = 9}).tokens) {
    if (token % 250 == 3) {
      seen[static_cast<std::size_t>(token / 250)] += 1.0;
    }
  }
  double chi_square = 0.0;
  for (const double number : seen) {
    const double expected = p[3] * static_cast<double>(count);
    chi_square += (number - expected) * (number - expected) / expected;
  }
  EXPECT_LT(chi_square, 10.0 + 5.0 * std::sqrt(20.0));
}

TEST(Sample, AgreesWithReferenceButForNearTies) {
  Random random(1);
  const HostTensor logits = random.normal({is_slow() ? 40 : 20000, 37}, 2.0);
  for (const SamplingRule& rule :
       {SamplingRule{.seed = 5}, SamplingRule{.seed = 0xfedcba9876543210U, .temperature = 0.7},
        SamplingRule{.seed = 6, .top_k = 7}, SamplingRule{.seed = 7, .top_p = 0.9}}) {
    const Draws expected = draw(reference::backend, logits, rule, std::int64_t{1} << 40);
    const Draws actual = draw(backend_under_test(), logits, rule, std::int64_t{1} << 40);
    std::int64_t differences = 0;
    for (std::size_t i = 0; i < expected.tokens.size(); ++i) {
      differences += expected.tokens[i] != actual.tokens[i] ? 1 : 0;
      if (expected.tokens[i] == actual.tokens[i]) {
        ASSERT_NEAR(expected.logprobs[i], actual.logprobs[i], 3e-6);
      }
    }
    EXPECT_LE(differences, 2);
  }
  const HostTensor wide = random.normal({is_slow() ? 5 : 40, 50257}, 2.0);
  for (const SamplingRule& rule : {SamplingRule{.seed = 5}, SamplingRule{.seed = 8, .top_k = 2000},
                                   SamplingRule{.seed = 9, .top_p = 0.95}}) {
    EXPECT_EQ(draw(backend_under_test(), wide, rule).tokens,
              draw(reference::backend, wide, rule).tokens);
  }
}

TEST(Sample, FiltersAgreeWithReferenceWhereLogitsTieAndSpread) {
  Random random(5);
  const std::int64_t rows = is_slow() ? 6 : 100;
  HostTensor ties = random.normal({rows, 1203}, 2.0, -40.0);
  HostTensor spread = random.normal({rows, 1203}, 100.0);
  for (std::int64_t i = 0; i < ties.numel(); ++i) {
    float& logit = ties.data<float>()[i];
    logit = std::round(logit * 2.0F) / 2.0F;
    if (i % 7 == 0) {
      spread.data<float>()[i] = -INFINITY;
    }
  }
  for (const HostTensor& logits : {ties, spread}) {
    for (const SamplingRule& rule :
         {SamplingRule{.seed = 1, .top_k = 100}, SamplingRule{.seed = 2, .top_p = 0.8},
          SamplingRule{.seed = 3, .temperature = 2.5, .top_k = 300, .top_p = 0.7},
          SamplingRule{.seed = 4, .temperature = 30.0, .top_p = 0.999}}) {
      const std::vector<std::int32_t> tokens = draw(backend_under_test(), logits, rule).tokens;
      EXPECT_EQ(tokens, draw(reference::backend, logits, rule).tokens) << "seed " << rule.seed;
      EXPECT_EQ(tokens, draw(backend_under_test(), logits, rule).tokens) << "seed " << rule.seed;
    }
  }
}

TEST(Sample, FiltersThatLeaveEverythingChangeNothing) {
  Random random(2);
  const HostTensor logits = random.normal({is_slow() ? 20 : 500, 131}, 2.0);
  const Draws free = draw(backend_under_test(), logits, {.seed = 11});
  EXPECT_EQ(draw(backend_under_test(), logits, {.seed = 11, .top_k = 131}).tokens, free.tokens);
  EXPECT_EQ(draw(backend_under_test(), logits, {.seed = 11, .top_p = 1.0 - 1e-15}).tokens,
            free.tokens);
}

TEST(Sample, DrawsFromTheFirstTokensWithTheLogprobOfAll) {
  Random random(6);
  const std::int64_t rows = is_slow() ? 6 : 200;
  constexpr std::int64_t first = 1101;
  HostTensor all = random.normal({rows, 1203}, 2.0);
  HostTensor some(DType::f32, {rows, first});
  for (std::int64_t b = 0; b < rows; ++b) {
    // The likeliest token is one that may not be drawn.
    all.data<float>()[b * 1203 + first] = 20.0F;
    std::copy_n(all.data<float>() + b * 1203, first, some.data<float>() + b * first);
  }
  for (SamplingRule rule :
       {SamplingRule{.seed = 1}, SamplingRule{.temperature = 0.0},
        SamplingRule{.seed = 2, .top_k = 50}, SamplingRule{.seed = 3, .top_p = 0.9},
        SamplingRule{.seed = 4, .temperature = 2.0, .top_k = 1150, .top_p = 0.8}}) {
    const Draws expected = draw(backend_under_test(), some, rule);
    const Draws everywhere = draw(backend_under_test(), all, rule);
    rule.sampled_vocabulary = first;
    const Draws draws = draw(backend_under_test(), all, rule);
    EXPECT_EQ(draws.tokens, expected.tokens) << "seed " << rule.seed;
    EXPECT_EQ(draw(reference::backend, all, rule).tokens, expected.tokens) << "seed " << rule.seed;
    for (std::size_t b = 0; b < draws.tokens.size(); ++b) {
      EXPECT_LT(draws.logprobs[b], expected.logprobs[b] - 2.0F);
    }
    rule.sampled_vocabulary = 1203;
    const Draws unpadded = draw(backend_under_test(), all, rule);
    EXPECT_EQ(unpadded.tokens, everywhere.tokens);
    EXPECT_EQ(unpadded.logprobs, everywhere.logprobs);
  }
}

TEST(Sample, DependsOnSeedEpisodeAndPositionOnly) {
  Random random(3);
  const std::int64_t rows = is_slow() ? 8 : 64;
  const HostTensor logits = random.normal({rows, 1000});
  const SamplingRule rule{.seed = 21};
  omp_set_num_threads(2);
  const Draws all = draw(backend_under_test(), logits, rule, 100);
  omp_set_num_threads(1);
  for (std::int64_t b = 0; b < rows; ++b) {
    const Draws one = draw(backend_under_test(), logits.rows(b, b + 1), rule, 100 + b);
    EXPECT_EQ(one.tokens[0], all.tokens[static_cast<std::size_t>(b)]);
    EXPECT_EQ(one.logprobs[0], all.logprobs[static_cast<std::size_t>(b)]);
  }
  EXPECT_NE(draw(backend_under_test(), logits, {.seed = 22}, 100).tokens, all.tokens);
  EXPECT_NE(draw(backend_under_test(), logits, rule, 101).tokens, all.tokens);
  EXPECT_NE(draw(backend_under_test(), logits, rule, 100, 4).tokens, all.tokens);
}

TEST(Sample, LogprobHasTheBitsOfLogSoftmax) {
  Random random(4);
  for (const double temperature : {1.0, 0.7, 0.0}) {
    for (const std::int64_t vocabulary : {1, 50, 5003}) {
      const HostTensor logits = random.normal({6, vocabulary}, 3.0);
      for (const std::vector<std::int64_t>& parts :
           {std::vector<std::int64_t>{},
            {0, vocabulary / 3, vocabulary},
            {0, vocabulary / 7, vocabulary / 7, vocabulary / 2, vocabulary}}) {
        for (const std::int64_t top_k : {0, 40}) {
          const Draws draws =
              draw(backend_under_test(), logits,
                   {.seed = 1, .temperature = temperature, .top_k = top_k}, 0, 3, parts);
          const auto forward = run_on(backend_under_test(), [&](test::Run& run) {
            const View partials = run.out(
                "partials", zeros({parts.empty() ? 1 : std::ssize(parts) - 1, 6, 4}, DType::f64));
            run.backend.log_softmax_parts(run.queue, partials, run.in(logits),
                                          run.in(HostTensor(draws.tokens)), 0,
                                          temperature == 0.0 ? 1.0 : temperature, parts, false);
            run.backend.log_softmax_join(run.queue, run.out("logprob", zeros({6})),
                                         run.out("log_sum_exp", zeros({6})), View(), partials);
          });
          EXPECT_EQ(forward.at("logprob").values<float>(), draws.logprobs);
        }
      }
    }
  }
}

TEST(Sample, PartsChangeRoundingOnly) {
  Random random(7);
  const HostTensor logits = random.normal({is_slow() ? 6 : 300, 1203}, 2.0);
  const std::vector<std::int64_t> parts{0, 1, 1, 500, 1100, 1100, 1200, 1202, 1203};
  for (const SamplingRule& rule :
       {SamplingRule{.seed = 1}, SamplingRule{.temperature = 0.0},
        SamplingRule{.seed = 2, .top_k = 50}, SamplingRule{.seed = 3, .top_p = 0.9},
        SamplingRule{.seed = 4, .top_p = 0.9, .sampled_vocabulary = 1001}}) {
    const Draws whole = draw(backend_under_test(), logits, rule);
    const Draws cut = draw(backend_under_test(), logits, rule, 0, 3, parts);
    EXPECT_EQ(cut.tokens, whole.tokens) << "seed " << rule.seed;
    for (std::size_t b = 0; b < cut.logprobs.size(); ++b) {
      EXPECT_NEAR(cut.logprobs[b], whole.logprobs[b], 1e-6) << "seed " << rule.seed;
    }
  }
}

TEST(Sample, TemperatureZeroIsTheArgMax) {
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    std::vector<float> logits(100, 0.0F);
    logits[37] = 2.0F;
    logits[80] = 2.0F;
    EXPECT_EQ(draw(*backend, repeated(logits, 1), {.temperature = 0.0}).tokens[0], 37);
    logits[99] = 2.5F;
    EXPECT_EQ(draw(*backend, repeated(logits, 1), {.temperature = 0.0}).tokens[0], 99);
  }
}

TEST(Sample, FiltersBreakTiesByLowerIdAndKeepTheCrossingToken) {
  const std::vector<float> equal{1.0F, 1.0F, 1.0F, 1.0F};
  const std::vector<float> halves{std::log(0.125F), std::log(0.5F), std::log(0.25F),
                                  std::log(0.125F)};
  using Tokens = std::set<std::int32_t>;
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    EXPECT_EQ(support(equal, {.top_k = 3}, *backend), (Tokens{0, 1, 2}));
    EXPECT_EQ(support(equal, {.top_p = 0.3}, *backend), (Tokens{0, 1}));
    EXPECT_EQ(support(equal, {.top_p = 0.5}, *backend), (Tokens{0, 1}));
    EXPECT_EQ(support({0.0F, -0.0F, 0.0F}, {.top_k = 2}, *backend), (Tokens{0, 1}));
    EXPECT_EQ(support(halves, {.top_p = 0.0}, *backend), (Tokens{1}));
    EXPECT_EQ(support(halves, {.top_p = 0.4}, *backend), (Tokens{1}));
    EXPECT_EQ(support(halves, {.top_p = 0.6}, *backend), (Tokens{1, 2}));
    EXPECT_EQ(support(halves, {.top_p = 0.8}, *backend), (Tokens{0, 1, 2}));
    EXPECT_EQ(support(halves, {.top_p = 0.95}, *backend), (Tokens{0, 1, 2, 3}));
    // Renormalised after top-k: of the best two the first has 2/3.
    EXPECT_EQ(support(halves, {.top_k = 2, .top_p = 0.66}, *backend), (Tokens{1}));
    EXPECT_EQ(support(halves, {.top_k = 2, .top_p = 0.67}, *backend), (Tokens{1, 2}));
    EXPECT_EQ(support(halves, {.top_k = 99}, *backend), (Tokens{0, 1, 2, 3}));
  }
}

TEST(Sample, OpenAiFilterVectors) {
  PRECIS_NEEDS_DATA("expected/openai_task_tests.json");
  const nlohmann::json cases = nlohmann::json::parse(std::ifstream(data_path));
  const auto logits = cases.at("logits").get<std::vector<float>>();
  const auto kept_of = [](const std::vector<float>& filtered) {
    std::set<std::int32_t> kept;
    for (std::size_t v = 0; v < filtered.size(); ++v) {
      if (filtered[v] > -1e9F) {
        kept.insert(static_cast<std::int32_t>(v));
      }
    }
    return kept;
  };
  for (const auto& [k, filtered] : cases.at("take_top_k").items()) {
    std::set<std::int32_t> expected = kept_of(filtered.get<std::vector<float>>());
    // OpenAI keeps every token that ties with the last one; here the lower id stays.
    while (expected.size() > std::stoul(k)) {
      expected.erase(std::prev(
          expected.end(), logits[static_cast<std::size_t>(*expected.rbegin())] == 2.0F ? 2 : 1));
    }
    EXPECT_EQ(support(logits, {.top_k = std::stol(k)}), expected) << "top_k " << k;
  }
  for (const auto& [p, filtered] : cases.at("take_top_p").items()) {
    std::set<std::int32_t> expected = kept_of(filtered.get<std::vector<float>>());
    // OpenAI leaves the token that crosses top_p out, unless it is the first; here it stays.
    double mass = 0.0;
    for (const std::int32_t token : expected) {
      mass += softmax(logits, 1.0)[static_cast<std::size_t>(token)];
    }
    if (mass < std::stod(p) - 1e-9) {
      std::int32_t next = -1;
      for (std::int32_t v = 0; v < static_cast<std::int32_t>(logits.size()); ++v) {
        const auto at = [&](std::int32_t i) { return logits[static_cast<std::size_t>(i)]; };
        if (expected.count(v) == 0 && (next < 0 || at(v) > at(next))) {
          next = v;
        }
      }
      expected.insert(next);
    }
    EXPECT_EQ(support(logits, {.top_p = std::stod(p)}), expected) << "top_p " << p;
  }
}

TEST(Sample, NaNShowsInTheLogprobAndTheTokenStaysValid) {
  std::vector<float> logits(40, 0.0F);
  logits[17] = std::nanf("");
  for (const SamplingRule& rule : {SamplingRule{}, SamplingRule{.temperature = 0.0},
                                   SamplingRule{.top_k = 5}, SamplingRule{.top_p = 0.5}}) {
    const Draws draws = draw(backend_under_test(), repeated(logits, 3), rule);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(std::isnan(draws.logprobs[i]));
      EXPECT_TRUE(draws.tokens[i] >= 0 && draws.tokens[i] < 40);
    }
  }
}

/// The tokens that are drawn from shares of the vocabulary that begin at `bounds`.
std::vector<std::int32_t> draw_from_shares(const Backend& backend, const HostTensor& logits,
                                           const std::vector<std::int64_t>& bounds,
                                           const SamplingRule& rule) {
  const std::int64_t rows = logits.shape()[0];
  const std::int64_t vocabulary = logits.shape()[1];
  HostTensor episodes(DType::i64, {rows});
  HostTensor positions(DType::i32, {rows});
  for (std::int64_t b = 0; b < rows; ++b) {
    episodes.data<std::int64_t>()[b] = b;
    positions.data<std::int32_t>()[b] = 3;
  }
  const auto shares = std::ssize(bounds) - 1;
  HostTensor all(DType::f64, {shares, rows, 2});
  for (std::int64_t share = 0; share < shares; ++share) {
    const std::int64_t first = bounds[static_cast<std::size_t>(share)];
    const std::int64_t count = bounds[static_cast<std::size_t>(share) + 1] - first;
    HostTensor mine(DType::f32, {rows, count});
    for (std::int64_t b = 0; b < rows; ++b) {
      std::copy_n(logits.data<float>() + b * vocabulary + first, count,
                  mine.data<float>() + b * count);
    }
    const auto result = run_on(backend, [&](test::Run& run) {
      run.backend.sample_part(run.queue, run.out("candidates", zeros({rows, 2}, DType::f64)),
                              run.in(mine), first, run.in(episodes), run.in(positions), rule);
    });
    const auto candidates = result.at("candidates").values<double>();
    std::copy(candidates.begin(), candidates.end(), all.data<double>() + share * rows * 2);
  }
  const auto result = run_on(backend, [&](test::Run& run) {
    run.backend.sample_join(run.queue, run.out("tokens", zeros({rows}, DType::i32)), run.in(all));
  });
  return result.at("tokens").values<std::int32_t>();
}

TEST(Sample, SharesOfTheVocabularyDrawTheSameTokens) {
  Random random(6);
  const std::int64_t rows = is_slow() ? 4 : 64;
  HostTensor logits = random.normal({rows, 3003}, 2.0);
  // A tie between shares, for the lower token; a row of which nothing can be drawn.
  logits.data<float>()[20] = logits.data<float>()[2000] = 30.0F;
  std::fill_n(logits.data<float>() + 3003, 3003, -std::numeric_limits<float>::infinity());
  for (const SamplingRule& rule :
       {SamplingRule{.seed = 3}, SamplingRule{.seed = 4, .temperature = 0.6},
        SamplingRule{.temperature = 0.0}, SamplingRule{.seed = 5, .sampled_vocabulary = 1502},
        SamplingRule{.seed = 6, .sampled_vocabulary = 700}}) {
    const Draws whole = draw(backend_under_test(), logits, rule, 0);
    for (const std::vector<std::int64_t>& bounds : {std::vector<std::int64_t>{0, 3003},
                                                    {0, 1502, 3003},
                                                    {0, 751, 1502, 2253, 3003},
                                                    {0, 3, 3001, 3002, 3003}}) {
      EXPECT_EQ(draw_from_shares(backend_under_test(), logits, bounds, rule), whole.tokens)
          << bounds.size() - 1 << " shares, seed " << rule.seed;
      EXPECT_EQ(draw_from_shares(reference::backend, logits, bounds, rule), whole.tokens)
          << bounds.size() - 1 << " shares, seed " << rule.seed;
    }
  }
}

TEST(Sample, ZeroRowsAreLegal) {
  EXPECT_TRUE(draw(backend_under_test(), zeros({0, 10}), {}).tokens.empty());
  EXPECT_TRUE(draw(reference::backend, zeros({0, 10}), {}).tokens.empty());
}

}  // namespace
}  // namespace precis::test
