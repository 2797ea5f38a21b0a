// New policy weights on their way from the learner to the rollout, from grid to grid.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "model/model.hpp"
#include "parallel/communicator.hpp"
#include "parallel/reshard.hpp"
#include "parallel/role_layout.hpp"

namespace precis {

/// Every rank of the rollout gets its part of the policy from learner ranks that hold it, each
/// number once (`plan_moves`), in messages of bounded size that go on while other work is done.
/// What a rank holds in both roles is copied within it; where the rollout reads the learner's own
/// parameters nothing moves. All calls are collective over the ranks of both roles, and do nothing
/// elsewhere.
class WeightSync {
 public:
  struct Setup {
    RankGroup& world;
    const RoleLayout& layout;
    const ModelConfig& policy;
    std::string learner_cut;  ///< parallel.stages
    bool shared = false;      ///< the rollout reads the learner's parameters
  };
  /// Collective over the world. Throws Error as ModelRanks::place_of.
  explicit WeightSync(const Setup& setup);

  /// Begins to send `from` of a learner rank, which must not change, and to fill `to` of a rollout
  /// rank, which must not be read, until `finish`; null where the rank does not play the role.
  void start(Device& device, const Parameters* from, Parameters* to);
  /// Moves on what has been started; whether all is done.
  bool poll();
  void finish();

  /// What the digests say of all copies of the policy in both roles.
  struct Found {
    std::string difference;    ///< empty if they have the same weights (model/weight_digest)
    std::uint64_t digest = 0;  ///< the policy's; 0 where one rank alone holds it, in one role
  };
  /// `from` and `to` as above; not between start and finish.
  [[nodiscard]] Found check(Device& device, const Parameters* from, const Parameters* to) const;

  /// By messages, of a sync.
  [[nodiscard]] std::int64_t bytes_sent() const noexcept { return bytes_sent_; }
  [[nodiscard]] std::int64_t bytes_received() const noexcept { return bytes_received_; }

 private:
  /// Moves between this rank and another that travel as one message.
  struct Bucket {
    std::vector<const Move*> moves;
    std::int64_t numbers = 0;
  };
  /// The buckets that go to another rank, or come from it, in order; a few are on their way.
  struct Way {
    int peer = 0;
    bool gives = false;
    std::vector<Bucket> buckets;
    std::size_t next = 0;  ///< the first that is not yet on its way
    struct OnTheWay {
      const Bucket* bucket;
      Tensor packed;  ///< none where the message is the tensor's own memory
      StartedOperation operation;
    };
    std::list<OnTheWay> open;
  };
  /// Who holds what in one role, by rank of the group.
  struct Holder {
    std::string name;
    int rank = 0;
    int copy = 0;
    std::vector<ParameterSpec> specs;
  };

  [[nodiscard]] std::vector<Holder> holders(const Setup& setup, const RoleRanks& role,
                                            const std::string& name, const std::string& cut) const;
  void add_way(int peer, bool gives);
  [[nodiscard]] bool advance(Way& way);
  void begin(Way& way, const Bucket& bucket);
  void copy(const Move& move, View packed, bool to_packed) const;
  void copy_within_rank(const Move& move) const;

  std::unique_ptr<RankGroup> group_;  // of both roles
  std::unique_ptr<Communicator> data_;
  std::vector<int> world_ranks_;  // of the group's ranks
  std::vector<Holder> learner_, rollout_;
  std::vector<Move> moves_;
  std::vector<Way> ways_;
  // From start to finish.
  Device* device_ = nullptr;
  const Parameters* from_ = nullptr;
  Parameters* to_ = nullptr;
  std::int64_t bytes_sent_ = 0;
  std::int64_t bytes_received_ = 0;
};

}  // namespace precis
