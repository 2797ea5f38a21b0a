// The vocabulary of GPT-2, which no number of ranks above one divides, over tensor parallelism:
// loss, the gradient of each of its rows, and the model that is written have the bits of one rank.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/compare.hpp"
#include "kernels/cpu/kernels.hpp"
#include "model/hugging_face/folder.hpp"
#include "model/shard_writer.hpp"
#include "model/tiny.hpp"
#include "parallel/exact_sum.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/box_of.hpp"
#include "support/temporary_folder.hpp"
#include "train/optimizer.hpp"
#include "train/pipeline.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

constexpr std::int64_t vocabulary = 50'257;
constexpr std::int64_t tensor_parts = 8;
constexpr std::size_t texts = 6;

ModelConfig config_of(bool tied) {
  return tiny_config([&](ModelConfig& c) {
    c.width = 16;
    c.heads = 4;
    c.vocabulary = vocabulary;
    c.end_tokens = {vocabulary - 1};
    c.tied = tied;
  });
}

/// Of one step. Tensors are the boxes that a rank has.
struct Step {
  double loss = 0;
  double norm = 0;
  std::vector<ParameterSpec> specs;
  std::vector<std::vector<float>> gradients;
};

double norm_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) {
    sum += static_cast<double>(value) * static_cast<double>(value);
  }
  return std::sqrt(sum);
}

std::string bytes_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// tied or not
class Vocabulary : public testing::TestWithParam<bool> {
 protected:
  Machine machine{.device = Device(cpu::backend), .threads = 1, .layout = "a test"};
  Device& device = machine.device;
  RankGroup& world = test_session().world();
  const ModelConfig config = config_of(GetParam());
  std::vector<Example> examples;
  TemporaryFolder folder;  // of this rank

  void SetUp() override {
    ASSERT_EQ(world.size(), 4);
    for (const Text& text : ragged_texts(texts, vocabulary)) {
      examples.emplace_back(SummaryRow(), text.prompt, text.response);
    }
    // The first and the last token, and those on both sides of each cut, have gradients as outputs.
    const std::vector<std::int32_t> edges{0,     12564, 12565, 25128, 25129, 37692,
                                          37693, 16752, 16753, 33504, 33505, vocabulary - 1};
    examples.emplace_back(SummaryRow(), edges, edges);
  }

  /// A step of training on ranks of tensor parallelism; the first writes the model after it.
  /// Collective over `group`.
  Step train(std::unique_ptr<RankGroup> group, const std::filesystem::path& file) {
    const GridShape shape{.tp = group->size()};
    ProcessGrid grid(std::move(group), shape, "vocabulary");
    const ModelRanks ranks = model_ranks(grid, "", tensor_parts);
    Model model = make_model(device, config, {}, 3, ranks);
    SftObjective objective(machine, model, grid.dp().group(), examples, {}, SftLoss::all, 200);
    Pipeline pipeline(
        {.device = device, .model = model, .ranks = grid.whole(), .micro_batch_tokens = 200});
    Optimizer optimizer(device, model.parameters);
    std::vector<std::int64_t> rows(examples.size());
    std::iota(rows.begin(), rows.end(), std::int64_t{0});
    std::vector<ExactSum> sums(1);
    optimizer.form_gradients([&](std::int64_t, Parameters& gradients, const auto& /*complete*/) {
      const LossSums mine =
          accumulate(pipeline, objective, rows, objective.weight(rows), gradients);
      sums[0] = model.parameters.parallel().place.speaks() ? mine.loss : ExactSum();
    });
    all_reduce(grid.whole(), sums);
    const TrainOptions options;
    Step step{.loss = sums[0].value(),
              .norm = optimizer.reduce(options.clip_norm),
              .specs = optimizer.gradients().specs(),
              .gradients = {}};
    for (std::size_t i = 0; i < step.specs.size(); ++i) {
      step.gradients.push_back(
          device.to_host<float>(optimizer.gradients().at(static_cast<int>(i))));
    }
    optimizer.apply(model.parameters, options, 1e-2);
    save_model(grid.whole(), file, device, grid, ranks, config, model.tokenizer, model.parameters);
    return step;
  }

  /// On so many ranks; the others get nothing. Collective over the world.
  std::optional<Step> train_on(int ranks, const std::filesystem::path& file) {
    auto group = world.split(world.rank() < ranks ? 0 : -1, world.rank(), "vocabulary");
    return group ? std::optional(train(std::move(group), file)) : std::nullopt;
  }
  Step train_alone() { return train(world.split(world.rank(), 0, "alone"), folder / "alone.h5"); }

  /// The whole tensor of which a rank has a box.
  static const std::vector<float>& whole_of(const ParameterSpec& spec, const Step& alone) {
    for (std::size_t i = 0; i < alone.specs.size(); ++i) {
      if (alone.specs[i].name == spec.name) {
        return alone.gradients[i];
      }
    }
    throw std::out_of_range(spec.name);
  }

  void expect_same_model(const std::filesystem::path& a, const std::filesystem::path& b) {
    EXPECT_EQ(content_digest(StateReader(a)), content_digest(StateReader(b)));
    for (const auto& file : {a, b}) {
      export_folder(device, load_model(device, file, {ModelKind::language}),
                    file.parent_path() / file.stem(), WeightDType::f32);
    }
    for (const char* name : {"config.json", "model.safetensors"}) {
      const std::string bytes = bytes_of(a.parent_path() / a.stem() / name);
      EXPECT_FALSE(bytes.empty());
      EXPECT_TRUE(bytes == bytes_of(b.parent_path() / b.stem() / name)) << name;
    }
  }
};

TEST_P(Vocabulary, HasTheBitsOfOneRankOnTwoAndFour) {
  const Step alone = train_alone();
  EXPECT_TRUE(std::isfinite(alone.loss));
  for (const int ranks : {2, 4}) {
    SCOPED_TRACE(fmt::format("tp={}", ranks));
    const std::filesystem::path file = folder / fmt::format("tp_{}.h5", ranks);
    const std::optional<Step> step = train_on(ranks, file);
    std::int64_t rows = 0;
    if (step) {
      EXPECT_EQ(step->loss, alone.loss);
      EXPECT_EQ(step->norm, alone.norm);
      for (std::size_t i = 0; i < step->specs.size(); ++i) {
        const ParameterSpec& spec = step->specs[i];
        if (spec.name == embedded_rows_gradient) {
          continue;  // joined with the output matrix's
        }
        EXPECT_TRUE(step->gradients[i] == box_of(whole_of(spec, alone), spec.shard))
            << spec.name << " " << to_string(spec.shard);
        rows += spec.shard.global_shape[0] == vocabulary ? spec.shard.extent[0] : 0;
      }
    }
    EXPECT_EQ(all_sum(world, rows), GetParam() ? vocabulary : 2 * vocabulary);
    if (world.rank() == 0) {
      expect_same_model(folder / "alone.h5", file);
    }
  }
}

TEST_P(Vocabulary, AgreesToRoundingOnThree) {
  const Step alone = train_alone();
  const std::optional<Step> step = train_on(3, folder / "tp_3.h5");
  if (!step) {
    return;
  }
  EXPECT_NEAR(step->loss, alone.loss, 1e-6 * std::abs(alone.loss));
  double squares = 0;
  for (const std::vector<float>& gradient : alone.gradients) {
    squares += std::pow(norm_of(gradient), 2);
  }
  for (std::size_t i = 0; i < step->specs.size(); ++i) {
    const ParameterSpec& spec = step->specs[i];
    if (spec.name == embedded_rows_gradient) {
      continue;
    }
    const std::vector<float>& whole = whole_of(spec, alone);
    std::vector<float> difference = box_of(whole, spec.shard);
    for (std::size_t j = 0; j < difference.size(); ++j) {
      difference[j] -= step->gradients[i][j];
    }
    EXPECT_LE(norm_of(difference), 1e-5 * std::max(norm_of(whole), 1e-3 * std::sqrt(squares)))
        << spec.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Both, Vocabulary, testing::Bool(),
                         [](const auto& of) { return std::string(of.param ? "tied" : "untied"); });

}  // namespace
}  // namespace precis
