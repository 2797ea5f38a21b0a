// One result for every layout: three steps of each training on grids of ranks have the bits of one
// rank, in losses, norms, every gradient and every parameter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "base/text.hpp"
#include "io/digest.hpp"
#include "kernels/cpu/kernels.hpp"
#include "model/tiny.hpp"
#include "parallel/exact_sum.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/box_of.hpp"
#include "rlhf/ppo_objectives.hpp"
#include "train/data_parts.hpp"
#include "train/optimizer.hpp"
#include "train/pipeline.hpp"
#include "train/reward_model.hpp"
#include "train/sft.hpp"

namespace precis {
namespace {

constexpr int steps = 3;
constexpr std::int64_t data_parts_of_all = 8;
constexpr std::int64_t tensor_parts_of_all = 8;
constexpr int most_ranks = 8;

enum class Loss { next_token, preference, policy, value };

constexpr Loss losses[]{Loss::next_token, Loss::preference, Loss::policy, Loss::value};

std::string_view name_of(Loss loss) {
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

  [[nodiscard]] std::string text() const {
    return fmt::format("{}, schedule {}, micro-batches of {} tokens, stages '{}'", to_string(grid),
                       static_cast<int>(schedule), micro_batch_tokens, stages);
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

Rows make_rows(std::size_t count, std::uint32_t vocabulary) {
  Rows rows;
  rows.texts = ragged_texts(count, vocabulary);
  for (const Text& text : rows.texts) {
    rows.examples.emplace_back(SummaryRow(), text.prompt, text.response);
    rows.pairs.push_back({.comparison = {},
                          .query = text.prompt,
                          .responses = {text.response, {1, 2, 60}},
                          .weight = rows.pairs.size() % 3 == 0 ? 0.3 : 1.0});
    RandomStream draws(8, Purpose::testing, rows.experience.size());
    Experience& experience = rows.experience.emplace_back();
    experience.episode.query = text.prompt;
    experience.episode.response = text.response;
    const auto draw = [&](double low, double high) {
      std::vector<float> out(text.response.size());
      for (float& value : out) {
        value = static_cast<float>(low + (high - low) * draws.uniform());
      }
      return out;
    };
    experience.logprobs = draw(-4.3, -3.9);
    experience.values = draw(-1, 1);
    experience.advantages = draw(-1, 1);
    experience.returns = draw(-1, 1);
  }
  return rows;
}

/// One of the four trainings behind one face.
struct Work {
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

  [[nodiscard]] Work work_of(Loss loss, const Rows& rows, const Model& model, RankGroup& ranks,
                             std::int64_t micro_batch_tokens) {
    Work work;
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

  [[nodiscard]] Tensors tensors_of(const Parameters& parameters) {
    Tensors out{.specs = parameters.specs(), .values = {}};
    for (std::size_t i = 0; i < out.specs.size(); ++i) {
      out.values.push_back(device.to_host<float>(parameters.at(static_cast<int>(i))));
    }
    return out;
  }

  /// Collective over the ranks of the grid.
  [[nodiscard]] Trained train(const ModelConfig& config, Loss loss, const Rows& rows,
                              std::unique_ptr<RankGroup> group, const Layout& layout) {
    ProcessGrid grid(std::move(group), layout.grid, "layout");
    const ModelRanks ranks = model_ranks(grid, layout.stages, tensor_parts_of_all);
    ModelConfig of_kind = config;
    of_kind.kind =
        loss == Loss::next_token || loss == Loss::policy ? ModelKind::language : ModelKind::reward;
    Model model = make_model(device, of_kind, {}, 3, ranks);
    const bool speaks = model.parameters.parallel().place.speaks();
    const Work work = work_of(loss, rows, model, grid.dp().group(), layout.micro_batch_tokens);
    Pipeline pipeline({.device = device,
                       .model = model,
                       .ranks = grid.whole(),
                       .micro_batch_tokens = layout.micro_batch_tokens,
                       .schedule = schedule_of(layout.schedule)});
    const DataParts parts = data_parts(data_parts_of_all, grid.coordinates().dp, grid.shape().dp);
    Optimizer optimizer(device, model.parameters, parts.mine());
    std::vector<std::int64_t> all(rows.texts.size());
    std::iota(all.begin(), all.end(), std::int64_t{0});
    const TrainOptions options;
    Trained trained;
    for (int step = 0; step < steps; ++step) {
      std::vector<ExactSum> sums;
      optimizer.form_gradients([&](std::int64_t part, Parameters& gradients) {
        const auto [begin, end] = parts.rows_of(part, std::ssize(all));
        work.begin(std::span(all).subspan(static_cast<std::size_t>(begin),
                                          static_cast<std::size_t>(end - begin)));
        pipeline.accumulate(*work.objective, gradients);
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
      trained.reported.push_back(optimizer.reduce(grid.dp(), options.clip_norm));
      trained.gradients.push_back(tensors_of(optimizer.gradients()));
      optimizer.apply(model.parameters, options, 1e-2);
    }
    trained.parameters = tensors_of(model.parameters);
    return trained;
  }

  /// On one rank; every rank computes it for itself.
  [[nodiscard]] const Trained& reference(const ModelConfig& config, Loss loss, const Rows& rows) {
    const auto found = references.find({&config, loss});
    if (found != references.end()) {
      return found->second;
    }
    return references
        .emplace(std::pair{&config, loss},
                 train(config, loss, rows, world.split(world.rank(), 0, "alone"),
                       {.grid = {}, .micro_batch_tokens = 1'000'000, .stages = ""}))
        .first->second;
  }

  static void expect_boxes(const Tensors& found, const Tensors& expected, const std::string& what) {
    for (std::size_t i = 0; i < found.specs.size(); ++i) {
      const ParameterSpec& spec = found.specs[i];
      if (spec.name == embedded_rows_gradient) {
        continue;
      }
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
    auto group = world.split(world.rank() < layout.grid.ranks() ? 0 : -1, world.rank(), "layout");
    if (!group) {
      return;
    }
    const Trained found = train(config, loss, rows, std::move(group), layout);
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
    auto group = world.split(world.rank() < layout.grid.ranks() ? 0 : -1, world.rank(), "layout");
    if (group) {
      const Trained found = train(config, loss, rows, std::move(group), layout);
      const Tensors& gradients = found.gradients[0];
      for (std::size_t i = 0; i < gradients.specs.size(); ++i) {
        const ParameterSpec& spec = gradients.specs[i];
        if (spec.name == embedded_rows_gradient) {
          continue;
        }
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
    auto group = world.split(world.rank() < shape.ranks() ? 0 : -1, world.rank(), "layout");
    if (group) {
      EXPECT_THROW((void)train(config, Loss::next_token, rows, std::move(group),
                               {.grid = shape, .stages = ""}),
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

const ModelConfig& eight_layers() {
  static const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.layers = 8;
    c.heads = 8;
    c.kv_heads = 4;
    c.width = 32;
    c.norm = NormKind::rms_norm;
    c.position = PositionKind::rotary;
    c.activation = ActivationKind::gated_silu;
    c.vocabulary = 61;
  });
  return config;
}

const ModelConfig& six_heads() {
  static const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.layers = 8;
    c.heads = 6;
    c.width = 24;
  });
  return config;
}

/// The halves of three key-value heads are uneven.
const ModelConfig& nine_heads() {
  static const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.layers = 4;
    c.heads = 9;
    c.kv_heads = 3;
    c.width = 36;
    c.position = PositionKind::rotary;
    c.tied = false;
  });
  return config;
}

bool leaves_a_rank_without_heads(const ModelConfig& config, int tp) {
  try {
    (void)tensor_share(config, 0, tp, 1);
    return false;
  } catch (const UsageError&) {
    return true;
  }
}

constexpr PipelineSchedule schedules[]{PipelineSchedule::gpipe,
                                       PipelineSchedule::one_forward_one_backward,
                                       PipelineSchedule::zero_bubble};
constexpr std::int64_t budgets[]{60, 200, 100'000};

/// What is tried on a grid.
struct Trial {
  Loss loss;
  PipelineSchedule schedule;
  std::int64_t budget;
};

/// All, or one of each loss, schedule and budget in turn, which go round with different periods.
std::vector<Trial> trials([[maybe_unused]] std::size_t& number) {
#ifdef PRECIS_ALL_LAYOUTS
  std::vector<Trial> all;
  for (const Loss loss : losses) {
    for (const PipelineSchedule schedule : schedules) {
      for (const std::int64_t budget : budgets) {
        all.push_back({loss, schedule, budget});
      }
    }
  }
  return all;
#else
  const std::size_t n = number++;
  return {{losses[n % 4], schedules[n % 3], budgets[n / 3 % 3]}};
#endif
}

TEST_F(Layouts, HaveTheBitsOfOneRank) {
  ASSERT_EQ(world.size(), most_ranks);
  const Rows rows = make_rows(19, 61);
  std::size_t number = 0;
  for (const ModelConfig* config : {&eight_layers(), &six_heads(), &nine_heads()}) {
    for (const GridShape& grid : grids()) {
      if (grid.pp > config->layers) {
        continue;
      }
      if (leaves_a_rank_without_heads(*config, grid.tp)) {
        expect_refusal(*config, rows, grid);
        continue;
      }
      for (const Trial& trial : trials(number)) {
        Layout layout{.grid = grid,
                      .schedule = trial.schedule,
                      .micro_batch_tokens = trial.budget,
                      .stages = ""};
        if (grid.pp == 3 && config->layers == 8 && trial.budget == budgets[0]) {
          layout.stages = "1,5,2";
        }
        expect_bits(*config, trial.loss, rows, layout);
      }
    }
  }
}

TEST_F(Layouts, ThatDivideNothingAgreeToRoundingAndKeepReplicasEqual) {
  const Rows rows = make_rows(19, 61);
  for (const GridShape& grid :
       {GridShape{.dp = 3, .pp = 1, .tp = 2}, GridShape{.dp = 3, .pp = 2},
        GridShape{.dp = 1, .pp = 2, .tp = 3}, GridShape{.dp = 1, .tp = 5}, GridShape{.dp = 5}}) {
    for (const Loss loss : {Loss::next_token, Loss::value}) {
      expect_agreement(six_heads(), loss, rows, {.grid = grid, .stages = ""});
      expect_agreement(eight_layers(), loss, rows, {.grid = grid, .stages = ""});
    }
  }
}

}  // namespace
}  // namespace precis
