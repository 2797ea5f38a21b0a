// AdamW's step.
#include <omp.h>

#include "kernels/harness.hpp"

namespace precis::test {
namespace {

struct State {
  HostTensor parameter;
  HostTensor first;
  HostTensor second;
};

State step(const Backend& backend, const State& before, const HostTensor& gradient, float scale,
           const AdamW& settings) {
  const auto result = run_on(backend, [&](test::Run& run) {
    run.backend.adamw_step(run.queue, run.out("parameter", before.parameter),
                           run.out("first", before.first), run.out("second", before.second),
                           run.in(gradient), run.in(HostTensor(std::vector<float>{scale})),
                           settings);
  });
  return {result.at("parameter"), result.at("first"), result.at("second")};
}

TEST(AdamW, AgreesWithReference) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 15, 16, 49, 16384, 40001}) {
    for (const EpsilonPlace place : {EpsilonPlace::pytorch, EpsilonPlace::tensorflow}) {
      for (const std::int64_t update : {1, 10, 1000}) {
        const State before{random.normal({n}), random.normal({n}, 0.1), random.uniform({n}, 0, 1)};
        const HostTensor gradient = random.normal({n});
        const AdamW settings{.rate = 1e-3,
                             .beta1 = 0.9,
                             .beta2 = 0.98,
                             .epsilon = 1e-5,
                             .decay = 0.1,
                             .update = update,
                             .epsilon_place = place};
        const State expected = step(reference::backend, before, gradient, 0.5F, settings);
        const State actual = step(backend_under_test(), before, gradient, 0.5F, settings);
        expect_close("parameter", actual.parameter, expected.parameter, 3e-7);
        expect_close("first", actual.first, expected.first, 3e-7);
        expect_close("second", actual.second, expected.second, 3e-7);
      }
    }
  }
}

TEST(AdamW, FirstStepByHand) {
  // The first update is rate * g / (|g| + epsilon) in PyTorch's placement; in TensorFlow's epsilon
  // counts 1/sqrt(1 - beta2) times as much.
  const State before{HostTensor(std::vector<float>{2.0F}), zeros({1}), zeros({1})};
  const HostTensor gradient(std::vector<float>{0.5F});
  AdamW settings{.rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 0.25, .decay = 0.5};
  for (const Backend* backend : {&backend_under_test(), &reference::backend}) {
    settings.epsilon_place = EpsilonPlace::pytorch;
    const State pytorch = step(*backend, before, gradient, 1.0F, settings);
    EXPECT_NEAR(pytorch.parameter.number(0), 2.0 * 0.95 - 0.1 * 0.5 / (0.5 + 0.25), 1e-6);
    EXPECT_NEAR(pytorch.first.number(0), 0.05, 1e-8);
    EXPECT_NEAR(pytorch.second.number(0), 0.0025, 1e-9);
    settings.epsilon_place = EpsilonPlace::tensorflow;
    const State tensorflow = step(*backend, before, gradient, 1.0F, settings);
    EXPECT_NEAR(tensorflow.parameter.number(0), 2.0 * 0.95 - 0.1 * 0.5 / (0.5 + 0.25 / 0.1), 1e-6);
  }
}

TEST(AdamW, DoesNotDependOnThreadsOrOnPlace) {
  Random random(2);
  const std::int64_t n = 50001;
  const State before{random.normal({n}), random.normal({n}), random.uniform({n}, 0, 1)};
  const HostTensor gradient = random.normal({n});
  const AdamW settings{.rate = 0.01, .decay = 0.1, .update = 3};
  omp_set_num_threads(1);
  const State one = step(cpu::backend, before, gradient, 1.0F, settings);
  omp_set_num_threads(3);
  EXPECT_TRUE(step(cpu::backend, before, gradient, 1.0F, settings).parameter == one.parameter);
  // A shard of the buffer that begins elsewhere gives the same numbers.
  const State part{before.parameter.rows(7, n), before.first.rows(7, n), before.second.rows(7, n)};
  const State shard = step(cpu::backend, part, gradient.rows(7, n), 1.0F, settings);
  EXPECT_TRUE(shard.parameter == one.parameter.rows(7, n));
}

TEST(AdamW, PassesOnNaN) {
  const State before{zeros({3}), zeros({3}), zeros({3})};
  const HostTensor gradient(std::vector<float>{1.0F, std::nanf(""), 1.0F});
  const State after = step(backend_under_test(), before, gradient, 1.0F, AdamW{.rate = 0.1});
  EXPECT_TRUE(std::isnan(after.parameter.number(1)));
  EXPECT_FALSE(std::isnan(after.parameter.number(0)));
}

}  // namespace
}  // namespace precis::test
