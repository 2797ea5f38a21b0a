// A training on a grid of ranks, beside the same on one rank: for tests that compare the two.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <numeric>

#include "base/text.hpp"
#include "io/digest.hpp"
#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/exact_sum.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/box_of.hpp"
#include "rlhf/drawn_experience.hpp"
#include "rlhf/ppo_objectives.hpp"
#include "train/data_parts.hpp"
#include "train/optimizer.hpp"
#include "train/pipeline.hpp"
#include "train/reward_model.hpp"
#include "train/sft.hpp"

namespace precis {

inline constexpr int steps = 3;
inline constexpr std::int64_t data_parts_of_all = 8;
inline constexpr std::int64_t tensor_parts_of_all = 8;
inline constexpr int most_ranks = 8;

enum class Loss { next_token, preference, policy, value };

inline constexpr Loss losses[]{Loss::next_token, Loss::preference, Loss::policy, Loss::value};

inline std::string_view name_of(Loss loss) {
  switch (loss) {
    case Loss::next_token:
      return "next-token loss";
    case Loss::preference:
      return "preference loss";
    case Loss::policy:
      return "PPO's policy loss";
    case Loss::value:
      break;
  }
  return "PPO's value loss";
}

/// How a training is spread; the rest of it is the same for all.
struct Layout {
  GridShape grid;
  PipelineSchedule schedule = PipelineSchedule::one_forward_one_backward;
  std::int64_t micro_batch_tokens = 100;
  std::string stages;
  Activations activations = {};
  bool zero = false;

  [[nodiscard]] std::string text() const {
    return fmt::format("{}, schedule {}, micro-batches of {} tokens, stages '{}', recompute {}{}{}",
                       to_string(grid), static_cast<int>(schedule), micro_batch_tokens, stages,
                       static_cast<int>(activations.recompute),
                       activations.sequence_parallel ? ", sequence" : "", zero ? ", zero" : "");
  }
};

/// Whole tensors by name, or the boxes that a rank has.
struct Tensors {
  std::vector<ParameterSpec> specs;
  std::vector<std::vector<float>> values;

  [[nodiscard]] const std::vector<float>* find(const std::string& name) const {
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].name == name) {
        return &values[i];
      }
    }
    return nullptr;
  }
};

struct Trained {
  std::vector<double> reported;    ///< sums of losses and norms of each step
  std::vector<Tensors> gradients;  ///< of each step
  Tensors parameters;
};

/// The rows that all trainings learn from.
struct Rows {
  std::vector<Example> examples;
  std::vector<Pair> pairs;
  std::vector<Experience> experience;
  std::vector<Text> texts;
};

inline Rows make_rows(std::size_t count, std::uint32_t vocabulary) {
  Rows rows;
  rows.texts = ragged_texts(count, vocabulary);
  for (const Text& text : rows.texts) {
    rows.examples.emplace_back(SummaryRow(), text.prompt, text.response);
    rows.pairs.push_back({.comparison = {},
                          .query = text.prompt,
                          .responses = {text.response, {1, 2, 60}},
                          .weight = rows.pairs.size() % 3 == 0 ? 0.3 : 1.0});
    rows.experience.push_back(drawn_experience(text, rows.experience.size()));
  }
  return rows;
}

/// One of the four trainings behind one face.
struct LayoutWork {
  std::unique_ptr<Objective> objective;
  std::function<void(std::span<const std::int64_t> rows)> begin;
  std::function<std::vector<ExactSum>()> sums;
};

class Layouts : public testing::Test {
 protected:
  Machine machine{.device = Device(cpu::backend), .threads = 1, .layout = "a test"};
  Device& device = machine.device;
  RankGroup& world = test_session().world();
  PpoOptions ppo;
  std::map<std::pair<const ModelConfig*, Loss>, Trained> references;
  std::map<std::string, std::unique_ptr<ProcessGrid>> made_grids;

  /// Collective over the world, made once; null on ranks beyond it.
  [[nodiscard]] ProcessGrid* grid_of(const GridShape& shape) {
    const auto [place, inserted] = made_grids.try_emplace(to_string(shape));
    if (inserted) {
      auto group = world.split(world.rank() < shape.ranks() ? 0 : -1, world.rank(), "layout");
      if (group) {
        place->second = std::make_unique<ProcessGrid>(std::move(group), shape, "layout");
      }
    }
    return place->second.get();
  }

  [[nodiscard]] LayoutWork work_of(Loss loss, const Rows& rows, const Model& model,
                                   RankGroup& ranks, std::int64_t micro_batch_tokens) {
    LayoutWork work;
    const auto supervised = [&](auto objective) {
      auto* const kept = objective.get();
      std::vector<std::int64_t> all(static_cast<std::size_t>(kept->facts().rows));
      std::iota(all.begin(), all.end(), std::int64_t{0});
      const double weight = kept->weight(all);
      work.begin = [kept, weight](std::span<const std::int64_t> mine) {
        kept->begin(mine, weight);
      };
      work.sums = [kept] {
        const LossSums sums = kept->sums();
        return std::vector{sums.loss, sums.correct};
      };
      work.objective = std::move(objective);
    };
    const auto of_ppo = [&](auto objective) {
      auto* const kept = objective.get();
      std::int64_t tokens = 0;
      for (const Text& text : rows.texts) {
        tokens += std::ssize(text.response);
      }
      work.begin = [kept, tokens, &rows](std::span<const std::int64_t> mine) {
        Members members;
        for (const std::int64_t row : mine) {
          members.push_back(&rows.experience[static_cast<std::size_t>(row)]);
        }
        kept->begin(members, tokens);
      };
      work.sums = [kept] { return kept->sums(); };
      work.objective = std::move(objective);
    };
    switch (loss) {
      case Loss::next_token:
        supervised(std::make_unique<SftObjective>(machine, model, ranks, rows.examples,
                                                  std::span<const Example>{}, SftLoss::all,
                                                  micro_batch_tokens));
        break;
      case Loss::preference:
        static const std::vector<Pair> none;
        supervised(std::make_unique<RewardObjective>(machine, model, ranks, rows.pairs, none,
                                                     micro_batch_tokens));
        break;
      case Loss::policy:
        of_ppo(std::make_unique<PolicyObjective>(device, model, ppo));
        break;
      case Loss::value:
        of_ppo(std::make_unique<ValueObjective>(device, model, ppo));
        break;
    }
    return work;
  }

  /// Rows of the tensors, by the boxes that `specs` says.
  [[nodiscard]] Tensors tensors_of(const Parameters& parameters,
                                   const std::vector<ParameterSpec>& specs) {
    Tensors out{.specs = specs, .values = {}};
    for (const ParameterSpec& spec : specs) {
      const int index = parameters.find(spec.name);
      const Shard& held = parameters.specs()[static_cast<std::size_t>(index)].shard;
      const std::int64_t begin = spec.shard.offset[0] - held.offset[0];
      out.values.push_back(
          device.to_host<float>(parameters.at(index).rows(begin, begin + spec.shard.extent[0])));
    }
    return out;
  }

  /// Collective over the ranks of the grid.
  [[nodiscard]] Trained train(const ModelConfig& config, Loss loss, const Rows& rows,
                              ProcessGrid& grid, const Layout& layout) {
    const ModelRanks ranks = model_ranks(grid, layout.stages, tensor_parts_of_all);
    ModelConfig of_kind = config;
    of_kind.kind =
        loss == Loss::next_token || loss == Loss::policy ? ModelKind::language : ModelKind::reward;
    Model model = make_model(device, of_kind, {}, 3, ranks);
    const bool speaks = model.parameters.parallel().place.speaks();
    const LayoutWork work =
        work_of(loss, rows, model, grid.dp().group(), layout.micro_batch_tokens);
    Pipeline pipeline({.device = device,
                       .model = model,
                       .ranks = grid.whole(),
                       .micro_batch_tokens = layout.micro_batch_tokens,
                       .schedule = schedule_of(layout.schedule),
                       .activations = layout.activations});
    const DataParts parts = data_parts(data_parts_of_all, grid.coordinates().dp, grid.shape().dp);
    Optimizer optimizer(device, model.parameters,
                        {.parts = parts.mine(), .copies = &grid.dp(), .zero = layout.zero});
    auto summed = model.parameters.specs();
    if (layout.zero) {
      summed = owned_specs(summed, grid.dp().rank(), grid.dp().size());
    }
    std::vector<std::int64_t> all(rows.texts.size());
    std::iota(all.begin(), all.end(), std::int64_t{0});
    const TrainOptions options;
    Trained trained;
    for (int step = 0; step < steps; ++step) {
      std::vector<ExactSum> sums;
      optimizer.form_gradients([&](std::int64_t part, Parameters& gradients, const auto& complete) {
        const auto [begin, end] = parts.rows_of(part, std::ssize(all));
        work.begin(std::span(all).subspan(static_cast<std::size_t>(begin),
                                          static_cast<std::size_t>(end - begin)));
        pipeline.accumulate(*work.objective, gradients, complete);
        const auto of_part = work.sums();
        sums.resize(of_part.size());
        for (std::size_t i = 0; speaks && i < sums.size(); ++i) {
          sums[i].merge(of_part[i]);
        }
      });
      all_reduce(grid.whole(), sums);
      for (const ExactSum& sum : sums) {
        trained.reported.push_back(sum.value());
      }
      trained.reported.push_back(optimizer.reduce(options.clip_norm));
      trained.gradients.push_back(tensors_of(optimizer.gradients(), summed));
      optimizer.apply(model.parameters, options, 1e-2);
    }
    trained.parameters = tensors_of(model.parameters, model.parameters.specs());
    return trained;
  }

  /// On one rank; every rank computes it for itself.
  [[nodiscard]] const Trained& reference(const ModelConfig& config, Loss loss, const Rows& rows) {
    const auto found = references.find({&config, loss});
    if (found != references.end()) {
      return found->second;
    }
    ProcessGrid alone(world.split(world.rank(), 0, "alone"), {}, "alone");
    return references
        .emplace(std::pair{&config, loss},
                 train(config, loss, rows, alone,
                       {.grid = {}, .micro_batch_tokens = 1'000'000, .stages = ""}))
        .first->second;
  }

  static void expect_boxes(const Tensors& found, const Tensors& expected, const std::string& what) {
    for (std::size_t i = 0; i < found.specs.size(); ++i) {
      const ParameterSpec& spec = found.specs[i];
      const std::vector<float>* const whole = expected.find(spec.name);
      ASSERT_NE(whole, nullptr) << spec.name;
      EXPECT_TRUE(found.values[i] == box_of(*whole, spec.shard))
          << what << ": " << spec.name << " " << to_string(spec.shard);
    }
  }

  /// Collective over the world.
  void expect_bits(const ModelConfig& config, Loss loss, const Rows& rows, const Layout& layout) {
    SCOPED_TRACE(fmt::format("{} on {}", name_of(loss), layout.text()));
    const Trained& expected = reference(config, loss, rows);
    for (const double number : expected.reported) {
      ASSERT_TRUE(std::isfinite(number));
    }
    ProcessGrid* const grid = grid_of(layout.grid);
    if (grid == nullptr) {
      return;
    }
    const Trained found = train(config, loss, rows, *grid, layout);
    EXPECT_EQ(found.reported, expected.reported);
    for (std::size_t step = 0; step < steps; ++step) {
      expect_boxes(found.gradients[step], expected.gradients[step],
                   fmt::format("gradient of step {}", step + 1));
    }
    expect_boxes(found.parameters, expected.parameters, "parameters");
  }

  static double norm_of(const std::vector<float>& values) {
    double sum = 0;
    for (const float value : values) {
      sum += static_cast<double>(value) * static_cast<double>(value);
    }
    return std::sqrt(sum);
  }

  /// Gradients of the first step agree to rounding, and ranks that hold the same box keep the same
  /// bits. Collective over the world.
  void expect_agreement(const ModelConfig& config, Loss loss, const Rows& rows,
                        const Layout& layout) {
    SCOPED_TRACE(fmt::format("{} on {}", name_of(loss), layout.text()));
    const Tensors& expected = reference(config, loss, rows).gradients[0];
    double all = 0;
    for (const auto& values : expected.values) {
      all += std::pow(norm_of(values), 2);
    }
    all = std::sqrt(all);
    std::string boxes;  // "name box digest" of each
    if (ProcessGrid* const grid = grid_of(layout.grid)) {
      const Trained found = train(config, loss, rows, *grid, layout);
      const Tensors& gradients = found.gradients[0];
      for (std::size_t i = 0; i < gradients.specs.size(); ++i) {
        const ParameterSpec& spec = gradients.specs[i];
        const std::vector<float>& whole = *expected.find(spec.name);
        std::vector<float> difference = box_of(whole, spec.shard);
        for (std::size_t j = 0; j < difference.size(); ++j) {
          difference[j] -= gradients.values[i][j];
        }
        EXPECT_LE(norm_of(difference), 1e-5 * std::max(norm_of(whole), 1e-3 * all)) << spec.name;
      }
      for (std::size_t i = 0; i < found.parameters.specs.size(); ++i) {
        const ParameterSpec& spec = found.parameters.specs[i];
        Shard shard = spec.shard;
        shard.replica = 0;
        boxes += fmt::format("{} {} {:016x}\n", spec.name, to_string(shard),
                             digest(view_of(found.parameters.values[i])));
      }
    }
    std::map<std::string, std::string> first;
    for (const Bytes& bytes : world.all_gather(std::as_bytes(std::span(boxes)))) {
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      for (const std::string& line : split(text, '\n')) {
        if (const std::size_t end = line.rfind(' '); end != std::string::npos) {
          const auto& [place, inserted] = first.emplace(line.substr(0, end), line.substr(end));
          EXPECT_EQ(place->second, line.substr(end)) << place->first;
        }
      }
    }
  }

  /// On every rank, or the others would wait.
  void expect_refusal(const ModelConfig& config, const Rows& rows, const GridShape& shape) {
    if (ProcessGrid* const grid = grid_of(shape)) {
      EXPECT_THROW(
          (void)train(config, Loss::next_token, rows, *grid, {.grid = shape, .stages = ""}),
          UsageError);
    }
  }

  [[nodiscard]] static std::vector<GridShape> grids() {
    std::vector<GridShape> out;
    for (int dp = 1; dp <= most_ranks; dp *= 2) {
      for (int pp = 1; dp * pp <= most_ranks; ++pp) {
        for (int tp = 1; dp * pp * tp <= most_ranks; tp *= 2) {
          out.push_back({.dp = dp, .pp = pp, .tp = tp});
        }
      }
    }
    return out;
  }
};

}  // namespace precis
