// What nobody has written, or no sequence owns, is never read: whatever a device's memory holds
// there, generation, scores and an update of PPO have the same bits.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "kernels/cpu/kernels.hpp"
#include "model/filled_device.hpp"
#include "model/generator.hpp"
#include "model/tiny.hpp"
#include "parallel/mpi_communicator.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/advantages.hpp"
#include "rlhf/learner.hpp"
#include "rlhf/reward.hpp"

namespace precis {
namespace {

using Bits = std::vector<std::uint32_t>;

void keep(Bits& bits, std::span<const float> numbers) {
  std::int64_t not_finite = 0;
  for (const float number : numbers) {
    not_finite += std::isfinite(number) ? 0 : 1;
    bits.push_back(std::bit_cast<std::uint32_t>(number));
  }
  EXPECT_EQ(not_finite, 0);
}

/// All that a step leaves.
struct Left {
  std::vector<Generated> generated;
  Bits experience, gradients, parameters;
  std::vector<double> reported;
  test::Filled filled;
};

struct Family {
  const char* name;
  void (*change)(ModelConfig& config);
};
void PrintTo(const Family& of, std::ostream* out) { *out << of.name; }

class UnownedMemory : public testing::TestWithParam<Family> {
 protected:
  RankGroup& world = test_session().world();
  MpiCommunicator data_parallel{world};
  const TrainOptions train{.micro_batch_tokens = 150};

  [[nodiscard]] static ModelConfig config_of(ModelKind kind) {
    return tiny_config([kind](ModelConfig& c) {
      GetParam().change(c);
      c.kind = kind;
      c.end_tokens = {60, 3, 7, 8, 9, 21};  // So that some end early, and others at the length.
    });
  }
  static void keep_tensors(Bits& bits, Device& device, const Parameters& tensors) {
    for (std::size_t i = 0; i < tensors.specs().size(); ++i) {
      keep(bits, device.to_host<float>(tensors.at(static_cast<int>(i))));
    }
  }

  /// Three samples a prompt, in places that are taken again, scored, and learned from. `refill` is
  /// called wherever nothing in the arena is to be used again.
  [[nodiscard]] Left step(Device& device, const std::function<void(Arena&)>& refill,
                          const std::function<void(Parameters&)>& fill_gaps);
};

Left UnownedMemory::step(Device& device, const std::function<void(Arena&)>& refill,
                         const std::function<void(Parameters&)>& fill_gaps) {
  Left left;
  const auto make = [&](ModelKind kind, std::uint64_t seed) {
    Model model = make_model(device, config_of(kind), {}, seed);
    fill_gaps(model.parameters);
    return model;
  };
  Model policy = make(ModelKind::language, 1);
  const Model reference = make(ModelKind::language, 2);
  const Model reward = make(ModelKind::reward, 3);
  Model value = make(ModelKind::value, 4);
  const auto arena = std::make_shared<Arena>(device);
  const auto between = [&] { refill(*arena); };

  std::vector<Prompt> prompts;
  for (const Text& text : ragged_texts(7, 61)) {
    const std::int64_t first = 3 * std::ssize(prompts);
    prompts.push_back({text.prompt, {first, first + 1, first + 2}});
  }
  Generator generator(device, policy.config, policy.parameters, arena);
  generator.run(
      policy.parameters, prompts,
      {.sampling = {.seed = 9}, .max_new_tokens = 40, .max_sequences = 7, .prefill_tokens = 90},
      [&](Generated&& result) { left.generated.push_back(std::move(result)); }, between);
  between();

  std::vector<Episode> episodes;
  for (const Generated& result : left.generated) {
    Episode& episode = episodes.emplace_back();
    episode.number = result.episode;
    episode.query = prompts[static_cast<std::size_t>(result.episode / 3)].tokens;
    episode.response = result.response;
    episode.ended = result.ended;
    episode.rollout_logprobs = result.logprobs;
  }
  // The reward role's two models work one after the other, so nothing lies between micro-batches.
  Reward scorer({.device = device,
                 .reward = reward,
                 .reference = reference,
                 .micro_batch_tokens = train.micro_batch_tokens,
                 .between = {},
                 .arena = arena});
  scorer.score(episodes);
  between();

  PpoOptions options;
  options.epochs = 2;
  options.mini_batches = 3;
  Learner learner({.device = device,
                   .ranks = data_parallel,
                   .policy = policy,
                   .value = value,
                   .reference_head = reference.parameters,
                   .options = options,
                   .train = train,
                   .arena = arena});
  auto batch = learner.experience(std::move(episodes), options.kl);
  whiten(batch);
  for (const Experience& e : batch) {
    for (const auto* numbers :
         {&e.episode.rollout_logprobs, &e.logprobs, &e.reference_logprobs, &e.values, &e.entropies,
          &e.exact_kls, &e.rewards, &e.advantages, &e.returns}) {
      keep(left.experience, *numbers);
    }
  }
  between();

  const auto keep_gradients = [&](auto objective, const Model& model) {
    Pipeline pipeline({.device = device,
                       .model = model,
                       .ranks = world,
                       .micro_batch_tokens = train.micro_batch_tokens,
                       .arena = arena});
    Optimizer optimizer(device, model.parameters, {.parts = 2});
    optimizer.form_gradients([&](std::int64_t part, Parameters& gradients, const auto& complete) {
      Members members;
      for (std::size_t i = static_cast<std::size_t>(part); i < batch.size(); i += 2) {
        members.push_back(&batch[i]);
      }
      objective.begin(members, 100);
      pipeline.accumulate(objective, gradients, complete);
      between();
    });
    EXPECT_GT(optimizer.reduce(0), 0);
    keep_tensors(left.gradients, device, optimizer.gradients());
  };
  keep_gradients(PolicyObjective(device, policy, options), policy);
  keep_gradients(ValueObjective(device, value, options), value);

  for (const std::int64_t number : {1, 2}) {
    const UpdateReport r = learner.update(batch, number, {.policy = 1e-3, .value = 1e-3});
    EXPECT_EQ(r.applied, 6);
    left.reported.insert(
        left.reported.end(),
        {r.policy_loss, r.value_loss, r.update_kl, r.clip_fraction_policy, r.clip_fraction_value,
         r.ratio_mean, r.ratio_max, r.gradient_norm_policy, r.gradient_norm_value});
    between();
  }
  keep_tensors(left.parameters, device, policy.parameters);
  keep_tensors(left.parameters, device, value.parameters);
  return left;
}

TEST_P(UnownedMemory, ChangesNoBit) {
  const auto on_filled = [&](std::uint8_t byte) {
    Device device = test::filled_device(byte);
    Left left = step(
        device, [&](Arena& arena) { test::fill_arena(device, arena); },
        [&](Parameters& parameters) { test::fill_gaps(device, parameters); });
    left.filled = test::filled_so_far(device);
    return left;
  };
  Device plain(cpu::backend);
  const Left expected = step(
      plain, [](Arena&) {}, [](Parameters&) {});
  std::size_t ended = 0;
  for (const Generated& result : expected.generated) {
    ended += result.ended ? 1 : 0;
  }
  EXPECT_GT(ended, 5U);
  EXPECT_LT(ended, expected.generated.size());

  const std::pair<const char*, std::uint8_t> cases[]{{"zeros", 0x00}, {"NaN", 0xFF}};
  for (const auto& [name, byte] : cases) {
    const Left found = on_filled(byte);
    EXPECT_GT(found.filled.cache_slots, 1000) << name;
    EXPECT_GT(found.filled.gaps, 100) << name;
    ASSERT_EQ(found.generated.size(), expected.generated.size()) << name;
    for (std::size_t i = 0; i < expected.generated.size(); ++i) {
      EXPECT_EQ(found.generated[i].episode, expected.generated[i].episode) << name;
      EXPECT_EQ(found.generated[i].response, expected.generated[i].response) << name << ", " << i;
    }
    EXPECT_EQ(found.reported, expected.reported) << name;
    EXPECT_TRUE(found.experience == expected.experience) << name;
    EXPECT_TRUE(found.gradients == expected.gradients) << name;
    EXPECT_TRUE(found.parameters == expected.parameters) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, UnownedMemory,
                         testing::Values(Family{"learned", [](ModelConfig&) {}},
                                         Family{"rotary",
                                                [](ModelConfig& c) {
                                                  c.heads = 6;
                                                  c.kv_heads = 2;
                                                  c.head_dim = 4;
                                                  c.position = PositionKind::rotary;
                                                  c.norm = NormKind::rms_norm;
                                                  c.activation = ActivationKind::gated_silu;
                                                  c.attention_bias = AttentionBias::none;
                                                  c.mlp_bias = false;
                                                  c.tied = false;
                                                }}),
                         [](const auto& of) { return of.param.name; });

}  // namespace
}  // namespace precis
