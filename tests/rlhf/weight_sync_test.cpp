// The weights of a learner on the grids of rollouts: on each rank the bits of the learner's model,
// no byte more than the plan says, and one digest everywhere; a bit that flips is found and named.
#include "rlhf/weight_sync.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "io/digest.hpp"
#include "kernels/cpu/kernels.hpp"
#include "parallel/mpi_test.hpp"
#include "rlhf/drawn_grids.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int ranks = 8;

/// What a rank that plays a role holds, and as whom messages name it.
struct Holder {
  std::string name;
  int rank = 0;
  int copy = 0;
  std::vector<ParameterSpec> specs;
};

/// Learner and rollout on their ranks of the world.
struct RolePair {
  RoleLayout layout;
  const ModelConfig* config = nullptr;
  std::string cut;              ///< of the learner's stages
  std::vector<Holder> holders;  ///< the learner's, then the rollout's
  bool shared = false;

  [[nodiscard]] bool has_member(int rank) const {
    return layout.learner.contains(rank) || layout.rollout.contains(rank);
  }
  [[nodiscard]] std::string text() const {
    return fmt::format("{}, stages '{}'{}", describe(layout), cut, shared ? ", shared" : "");
  }
};

void add_holders(RolePair& pair, const std::string& role_name, const RoleRanks& role,
                 const DrawnGrid& grid) {
  for (std::size_t i = 0; i < role.ranks.size(); ++i) {
    pair.holders.push_back({.name = fmt::format("{} rank {}", role_name, role.ranks[i]),
                            .rank = role.ranks[i],
                            .copy = coordinates_of(static_cast<int>(i), role.grid).dp +
                                    (role_name == "learner" ? 0 : pair.layout.learner.grid.dp),
                            .specs = grid.specs[i]});
  }
}

RolePair make_pair(const ModelConfig& config, const DrawnGrid& learner, const DrawnGrid& rollout,
                   Placement placement) {
  const auto left = ranks - learner.shape.ranks() - rollout.shape.ranks();
  RoleGrids grids{.rollout = rollout.shape, .learner = learner.shape};
  if (placement == Placement::dedicated) {
    grids.reward = GridShape{.dp = static_cast<int>(left)};
  }
  RolePair pair{.layout = plan_roles(placement, grids, ranks),
                .config = &config,
                .cut = learner.cut,
                .holders = {}};
  pair.shared = placement == Placement::colocated && learner.shape == rollout.shape;
  add_holders(pair, "learner", pair.layout.learner, learner);
  if (!pair.shared) {
    add_holders(pair, "rollout", pair.layout.rollout, rollout);
  }
  return pair;
}

/// Both roles on given grids, stages cut by cost.
RolePair make_pair(const ModelConfig& config, const GridShape& learner, const GridShape& rollout,
                   Placement placement) {
  DrawnGrid from{.shape = learner, .cut = ""};
  DrawnGrid to{.shape = rollout, .cut = ""};
  add_specs(from, config);
  add_specs(to, config);
  return make_pair(config, from, to, placement);
}

/// The learner's stages are cut in any way, the rollout's by cost as it has no key for it.
RolePair draw_pair(RandomStream& draws, const ModelConfig& config, Placement placement) {
  if (placement == Placement::colocated) {
    const DrawnGrid learner = draw_grid(draws, config, ranks);
    return make_pair(config, learner, draw_grid(draws, config, ranks, true), placement);
  }
  const int learners = 1 + static_cast<int>(draws.below(ranks - 2));
  const int rollouts =
      1 + static_cast<int>(draws.below(static_cast<unsigned>(ranks - 1 - learners)));
  const DrawnGrid learner = draw_grid(draws, config, learners);
  return make_pair(config, learner, draw_grid(draws, config, rollouts, true), placement);
}

std::vector<RankBoxes> boxes_of(const RolePair& pair, const std::string& role) {
  std::vector<RankBoxes> all;
  for (const Holder& holder : pair.holders) {
    if (holder.name.starts_with(role)) {
      all.push_back({.rank = holder.rank, .boxes = {}});
      for (const ParameterSpec& spec : holder.specs) {
        all.back().boxes.push_back({spec.name, spec.shard});
      }
    }
  }
  return all;
}

/// Any 32 bits, those of no number too, as a function of (seed, name, index in the whole tensor).
std::vector<std::uint32_t> bits_of(const ParameterSpec& spec, std::uint64_t seed) {
  const Shard& shard = spec.shard;
  const bool matrix = shard.extent.size() == 2;
  std::vector<std::uint32_t> bits;
  for (std::int64_t row = shard.offset[0]; row < shard.offset[0] + shard.extent[0]; ++row) {
    for (std::int64_t i = 0; i < (matrix ? shard.extent[1] : 1); ++i) {
      const std::int64_t index = matrix ? row * shard.global_shape[1] + shard.offset[1] + i : row;
      bits.push_back(static_cast<std::uint32_t>(
          mix_element(static_cast<std::uint64_t>(index), mix64(seed) ^ name_number(spec.name))));
    }
  }
  return bits;
}

/// A bit of one rank's copy.
struct Flip {
  std::size_t holder = 0;  ///< of RolePair::holders
  std::size_t tensor = 0;  ///< of its specs
  std::size_t byte = 0;
  int bit = 0;
};

/// A rank's side of a pair: what it holds in both roles, and the sync between them.
class Side {
 public:
  /// Collective over the world.
  Side(Device& device, RankGroup& world, const RolePair& pair)
      : device_(device),
        rank_(world.rank()),
        pair_(pair),
        sync_({.world = world,
               .layout = pair.layout,
               .policy = *pair.config,
               .learner_cut = pair.cut,
               .shared = pair.shared}) {
    for (std::size_t i = 0; i < pair.holders.size(); ++i) {
      if (pair.holders[i].rank == rank_) {
        (i < pair.layout.learner.ranks.size() ? from_ : to_).emplace(device, pair.holders[i].specs);
      }
    }
  }

  [[nodiscard]] WeightSync& sync() { return sync_; }
  void fill_learner(std::uint64_t seed) { fill(from_, seed); }
  void fill_rollout(std::uint64_t seed) { fill(to_, seed); }

  /// With `polls` looks at what is on its way, in between of which other work would be done.
  void transfer(int polls) {
    const std::uint64_t before = to_ ? to_->version() : 0;
    sync_.start(device_, from_ ? &*from_ : nullptr, to_ ? &*to_ : nullptr);
    for (int poll = 0; poll < polls; ++poll) {
      (void)sync_.poll();
    }
    sync_.finish();
    EXPECT_TRUE(!to_ || to_->version() > before) << "packs of the old weights would be used";
  }
  [[nodiscard]] WeightSync::Found check() {
    return sync_.check(device_, from_ ? &*from_ : nullptr, to_ ? &*to_ : nullptr);
  }
  /// What a check says that must find something; empty on ranks that have no weights.
  std::string refusal() {
    std::string difference = check().difference;
    EXPECT_EQ(difference.empty(), !pair_.has_member(rank_)) << difference;
    return difference;
  }

  void expect_bits(std::uint64_t seed) {
    for (auto* held : {&from_, &to_}) {
      for (std::size_t i = 0; *held && i < (*held)->specs().size(); ++i) {
        const ParameterSpec& spec = (*held)->specs()[i];
        const std::vector<std::uint32_t> expected = bits_of(spec, seed);
        const ConstView tensor = std::as_const(**held).at(static_cast<int>(i));
        EXPECT_EQ(std::memcmp(tensor.bytes(), expected.data(), expected.size() * 4), 0)
            << (held == &from_ ? "learner " : "rollout ") << spec.name << " "
            << to_string(spec.shard);
      }
    }
  }

  void flip(const Flip& flip) {
    if (pair_.holders[flip.holder].rank == rank_) {
      auto& held = flip.holder < pair_.layout.learner.ranks.size() ? from_ : to_;
      held->at(static_cast<int>(flip.tensor)).bytes()[flip.byte] ^= std::byte(1U << flip.bit);
    }
  }

 private:
  void fill(std::optional<Parameters>& parameters, std::uint64_t seed) {
    for (std::size_t i = 0; parameters && i < parameters->specs().size(); ++i) {
      const std::vector<std::uint32_t> bits = bits_of(parameters->specs()[i], seed);
      std::memcpy(parameters->at(static_cast<int>(i)).bytes(), bits.data(), bits.size() * 4);
    }
  }

  Device& device_;
  int rank_;
  const RolePair& pair_;
  std::optional<Parameters> from_, to_;
  WeightSync sync_;
};

bool is_same_box(const ParameterSpec& a, const ParameterSpec& b) {
  return a.name == b.name && a.shard.offset == b.shard.offset && a.shard.extent == b.shard.extent;
}

/// The message names the tensor, and the rank if two others at least can say that it is the one.
void expect_named(const std::string& message, const RolePair& pair, const Flip& flip) {
  const Holder& odd = pair.holders[flip.holder];
  const ParameterSpec& spec = odd.specs[flip.tensor];
  std::vector<std::string> others;  // that hold the same box
  std::vector<std::string> copies;
  for (const Holder& holder : pair.holders) {
    if (&holder != &odd && std::ranges::any_of(holder.specs, [&](const ParameterSpec& other) {
          return is_same_box(spec, other);
        })) {
      others.push_back(holder.name);
    }
    if (holder.copy == odd.copy) {
      copies.push_back(holder.name);
    }
  }
  EXPECT_THAT(message, HasSubstr(spec.name));
  if (others.size() >= 2) {
    EXPECT_THAT(message, AllOf(HasSubstr(": " + odd.name + " has "),
                               HasSubstr(fmt::format("; the others ({}) have ", others.size()))));
    for (const std::string& other : others) {
      EXPECT_THAT(message, Not(HasSubstr(other)));
    }
  } else if (others.size() == 1) {
    EXPECT_THAT(message, AllOf(HasSubstr(odd.name + " has "), HasSubstr(others[0] + " has ")));
  } else {
    // Nobody has this very box: copies of the model are compared as wholes.
    EXPECT_THAT(message, HasSubstr(fmt::format("the copy on {} has ", fmt::join(copies, ", "))));
  }
}

class WeightSyncs : public testing::Test {
 protected:
  Device device{cpu::backend};
  RankGroup& world = test_session().world();
  const std::vector<ModelConfig> models = uneven_models();

  void SetUp() override { ASSERT_EQ(world.size(), ranks); }

  /// The check fails on all ranks of both roles, with one message. Collective over the world.
  std::string refusal_of(Side& side, const RolePair& pair, const Flip& flip) {
    side.flip(flip);
    const std::string message = side.refusal();
    side.flip(flip);
    const int root = pair.layout.learner.ranks.front();
    const std::string expected = world.broadcast_text(message, root);
    EXPECT_TRUE(message == expected || !pair.has_member(world.rank())) << message;
    expect_named(expected, pair, flip);
    return expected;
  }

  /// Fresh weights on both sides, and what is said of one bit that flips in tensor `name` of
  /// `holder`. Collective over the world.
  std::string refusal_of(const RolePair& pair, const std::string& holder, const std::string& name) {
    SCOPED_TRACE(pair.text());
    Side side(device, world, pair);
    side.fill_learner(1);
    side.fill_rollout(1);
    const auto odd = std::ranges::find(pair.holders, holder, &Holder::name);
    const auto tensor = std::ranges::find(odd->specs, name, &ParameterSpec::name);
    return refusal_of(side, pair,
                      {.holder = static_cast<std::size_t>(odd - pair.holders.begin()),
                       .tensor = static_cast<std::size_t>(tensor - odd->specs.begin()),
                       .byte = 5,
                       .bit = 0});
  }
};

TEST_F(WeightSyncs, BetweenRandomGrids) {
  std::map<std::pair<const ModelConfig*, std::uint64_t>, std::uint64_t> digests;
  for (std::uint64_t number = 0; number < 48; ++number) {
    RandomStream draws(21, Purpose::testing, number);
    const ModelConfig& config = models[number % models.size()];
    const RolePair pair =
        draw_pair(draws, config, number % 3 == 0 ? Placement::colocated : Placement::dedicated);
    SCOPED_TRACE(fmt::format("pair {}, model {}: {}", number, number % models.size(), pair.text()));
    std::int64_t planned = 0;
    for (const Move& move : plan_moves(boxes_of(pair, "learner"), boxes_of(pair, "rollout"), 100)) {
      planned += move.from == move.to ? 0 : move.box.numel() * size_of(DType::f32);
    }
    Side side(device, world, pair);
    side.fill_rollout(1);
    for (const std::uint64_t seed : {2, 3}) {  // again after the weights have changed
      side.fill_learner(seed);
      side.transfer(static_cast<int>(draws.below(4)));
      side.expect_bits(seed);
      EXPECT_EQ(all_sum(world, side.sync().bytes_sent()), planned);
      EXPECT_EQ(all_sum(world, side.sync().bytes_received()), planned);
      const auto [difference, digest] = side.check();
      EXPECT_EQ(difference, "");
      if (pair.holders.size() == 1) {
        EXPECT_EQ(digest, 0U) << "nobody to compare with";
        continue;
      }
      const auto [place, first] = digests.try_emplace(
          {&config, seed}, 0);  // ranks without weights learn of it from the learner
      std::array<std::uint64_t, 1> of_learner{digest};
      world.broadcast(std::as_writable_bytes(std::span(of_learner)),
                      pair.layout.learner.ranks.front());
      place->second = first ? of_learner[0] : place->second;
      EXPECT_EQ(of_learner[0], place->second) << "depends on the layout";
      EXPECT_EQ(digest, pair.has_member(world.rank()) ? place->second : 0);
    }
    if (pair.holders.size() > 1) {
      Flip flip{.holder = draws.below(static_cast<std::uint32_t>(pair.holders.size()))};
      const auto& specs = pair.holders[flip.holder].specs;
      flip.tensor = draws.below(static_cast<std::uint32_t>(specs.size()));
      flip.byte = draws.below(static_cast<std::uint32_t>(4 * specs[flip.tensor].shard.numel()));
      flip.bit = static_cast<int>(draws.below(8));
      SCOPED_TRACE(fmt::format("bit {} of byte {} of {} on {}", flip.bit, flip.byte,
                               specs[flip.tensor].name, pair.holders[flip.holder].name));
      (void)refusal_of(side, pair, flip);
      EXPECT_EQ(side.check().difference, "") << "the bit is back";
    }
  }
  EXPECT_EQ(digests.size(), 2 * models.size());
  EXPECT_NE((digests[{models.data(), 2}]), (digests[{models.data(), 3}]));
}

/// Matrices larger than a message, of which parts lie end to end where they arrive and parts do
/// not.
TEST_F(WeightSyncs, InSeveralMessages) {
  const ModelConfig config = tiny_config([](ModelConfig& c) {
    c.layers = 1;
    c.width = 384;
    c.heads = 8;
    c.mlp_width = 3'001;
    c.vocabulary = 6'007;
  });
  const RolePair pairs[]{make_pair(config, {.tp = 2}, {.dp = 2}, Placement::dedicated),
                         make_pair(config, {.dp = 1}, {.dp = 2, .tp = 3}, Placement::dedicated),
                         make_pair(config, {.dp = 4, .tp = 2}, {.dp = 8}, Placement::colocated)};
  for (const RolePair& pair : pairs) {
    SCOPED_TRACE(pair.text());
    constexpr std::int64_t message = std::int64_t{4} << 20;
    Side side(device, world, pair);
    side.fill_learner(2);
    side.fill_rollout(1);
    world.work().keep_events(1'000);
    side.transfer(2);
    // The trace has all bytes of the sync, also of messages that begin while it is waited for.
    std::int64_t recorded = 0;
    for (const WorkLog::Event& event : world.work().take_events().events) {
      recorded += world.work().text_of(event.name) == "the policy's new weights" ? event.bytes : 0;
    }
    EXPECT_EQ(recorded, side.sync().bytes_sent() + side.sync().bytes_received());
    side.expect_bits(2);
    EXPECT_GT(all_max(world, side.sync().bytes_received()), message);
    EXPECT_EQ(side.check().difference, "");
  }
}

// Dedicated layouts have the rollout on the first ranks and the learner on the last.

TEST_F(WeightSyncs, NameTheRankWhereThreeHoldABox) {
  const char* const query = "blocks/001/attention/query/weight";
  EXPECT_THAT(refusal_of(make_pair(models[0], {.dp = 3}, {.dp = 2}, Placement::dedicated),
                         "learner rank 6", query),
              HasSubstr("blocks/001/attention/query/weight[0:20, 0:20]: learner rank 6 has "));
  EXPECT_THAT(refusal_of(make_pair(models[0], {.tp = 2}, {.dp = 2, .tp = 2}, Placement::dedicated),
                         "rollout rank 3", query),
              HasSubstr("blocks/001/attention/query/weight[12:20, 0:20]: rollout rank 3 has "));
  // Each of the ranks that share a model has the whole of a norm.
  EXPECT_THAT(refusal_of(make_pair(models[0], {.tp = 5}, {.dp = 1}, Placement::dedicated),
                         "learner rank 5", "final_norm/weight"),
              HasSubstr("final_norm/weight[0:20]: learner rank 5 has "));
}

TEST_F(WeightSyncs, NameBothSidesWhereTwoHoldABox) {
  const char* const query = "blocks/001/attention/query/weight";
  EXPECT_THAT(refusal_of(make_pair(models[0], {.dp = 1}, {.dp = 1}, Placement::dedicated),
                         "rollout rank 0", query),
              AllOf(HasSubstr("learner rank 7 has "), HasSubstr("rollout rank 0 has "),
                    Not(HasSubstr("others"))));
  // Only the learner's two copies are cut so.
  EXPECT_THAT(refusal_of(make_pair(models[0], {.dp = 2, .tp = 2}, {.dp = 3}, Placement::dedicated),
                         "learner rank 5", query),
              AllOf(HasSubstr("[12:20, 0:20]: "), HasSubstr("learner rank 5 has "),
                    HasSubstr("learner rank 7 has "), Not(HasSubstr("rollout"))));
}

TEST_F(WeightSyncs, NameTheCopyWhereBoxesDiffer) {
  EXPECT_THAT(refusal_of(make_pair(models[0], {.tp = 2}, {.dp = 2}, Placement::dedicated),
                         "learner rank 6", "blocks/002/mlp/down/weight"),
              AllOf(HasSubstr("blocks/002/mlp/down/weight: the copy on learner rank 6, learner "
                              "rank 7 has "),
                    HasSubstr("; the others (2) have ")));
}

TEST_F(WeightSyncs, SharedWeightsAreComparedAmongTheLearners) {
  const RolePair pair =
      make_pair(models[1], {.dp = 4, .tp = 2}, {.dp = 4, .tp = 2}, Placement::colocated);
  ASSERT_TRUE(pair.shared);
  EXPECT_THAT(refusal_of(pair, "learner rank 3", "head/weight"), HasSubstr("learner rank 3 has "));
}

}  // namespace
}  // namespace precis
