// What a rank spends its time on: calls and seconds by kind of work and, for a trace, each event.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace precis {

/// What is counted as what. Work nests, and the time of inner work is not the outer's: each moment
/// is counted once, and what no scope covers is the table's "other". Times are the host's: a GPU
/// works on beside it, and its time shows where the host waits for a result.
enum class WorkKind : std::uint8_t {
  forward,     ///< forward passes of training, with packing
  backward,    ///< backward passes, both of their halves, with head and loss
  optimizer,   ///< norm of the gradient, clipping, update
  inference,   ///< forward passes without a gradient: validation, scores, old log-probs, values
  generation,  ///< sampled text: rollouts and shown samples
  checks,      ///< digests of weights that ranks compare
  /// Tensors between the ranks of an axis; data: also gradients over all ranks, weights and
  /// episodes that roles send to each other. A blocking operation counts from its begin to its end,
  /// a collective without the time until all ranks are there. A started one counts for as long as
  /// its start takes; what `test` moves on between kernels is part of the work around it.
  tensor_communication,
  pipeline_communication,
  data_communication,
  /// For other ranks: all operations of control (barriers, agreements, numbers and texts on a
  /// RankGroup, waiting for messages), the time until all ranks have come to a blocking collective,
  /// and `wait` of started operations, unless it is inside of a communication of several
  /// (`sum_in_tree`, sums to owners and gathers from them): then it belongs to that.
  waiting,
  input,   ///< before the first step: start of MPI, groups of ranks, rows, models, checkpoints
  output,  ///< metrics, samples, episodes, checkpoints, final models, the trace
};
inline constexpr std::size_t work_kinds = 12;

/// "forward", "data communication".
[[nodiscard]] const char* name_of(WorkKind kind);
[[nodiscard]] bool is_communication(WorkKind kind);

/// Where an event is drawn in the trace of a rank.
enum class WorkTrack : std::uint8_t { steps, phases, actions, communication };

class WorkScope;

/// One of a process, that of its main thread. Its time begins with it.
class WorkLog {
 public:
  struct Total {
    std::int64_t calls = 0;
    std::int64_t nanoseconds = 0;
  };
  /// By WorkKind.
  using Totals = std::array<Total, work_kinds>;

  /// One piece of work. Times are `monotonic_nanoseconds`.
  struct Event {
    WorkTrack track{};
    WorkKind kind{};   ///< of actions and communication
    int name = 0;      ///< of `text_of`
    int group = none;  ///< of `text_of`: the ranks of a communication
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t waited = 0;  ///< nanoseconds of it that were waiting for other ranks
    std::int64_t bytes = none;
    std::int64_t number = none;  ///< the micro-batch, or the step
  };
  static constexpr int none = -1;

  WorkLog();
  WorkLog(const WorkLog&) = delete;
  WorkLog& operator=(const WorkLog&) = delete;

  /// Of the scopes that have ended.
  [[nodiscard]] const Totals& totals() const noexcept { return totals_; }
  /// Since the log began, for which the totals and what no scope covers add up.
  [[nodiscard]] std::int64_t nanoseconds() const;
  [[nodiscard]] std::int64_t began() const noexcept { return began_; }

  /// The operation that is being measured has waited for other ranks until now.
  void arrived() noexcept;

  /// Keeps the newest `capacity` events from now on, in memory that is taken here.
  void keep_events(std::size_t capacity);
  [[nodiscard]] bool keeps_events() const noexcept { return !ring_.empty(); }
  /// Something beside the kinds of work, which ends now: a phase, or a step by its number.
  void add_event(WorkTrack track, std::string_view name, std::int64_t begin,
                 std::int64_t number = none);
  /// How full the memory of events is, from 0 to 1, since they were last taken.
  [[nodiscard]] double fullness() const;
  struct Taken {
    std::vector<Event> events;  ///< in the order of their ends
    std::int64_t dropped = 0;   ///< older ones, for which there was no room
  };
  /// The events since the last call, which are then forgotten.
  [[nodiscard]] Taken take_events();
  [[nodiscard]] const std::string& text_of(int name) const {
    return texts_[static_cast<std::size_t>(name)];
  }
  /// How many texts there are: `text_of` takes 0 .. texts - 1.
  [[nodiscard]] int texts() const noexcept { return static_cast<int>(texts_.size()); }

 private:
  friend class WorkScope;

  int number_of(std::string_view text);
  void push(const Event& event) noexcept;

  std::int64_t began_;
  Totals totals_{};
  WorkScope* innermost_ = nullptr;
  std::vector<Event> ring_;    // empty: events are not kept
  std::size_t next_ = 0;       // where the next event goes
  std::int64_t recorded_ = 0;  // since they were last taken
  std::vector<std::string> texts_;
  std::map<std::string, int, std::less<>> numbers_;  // of texts_
};

/// What a scope measures.
struct Work {
  WorkKind kind{};
  std::string_view name = {};   ///< empty: that of the kind
  std::string_view group = {};  ///< of a communication: the name of its ranks
  std::int64_t bytes = WorkLog::none;
  std::int64_t micro_batch = WorkLog::none;
};

/// Counts the time from its construction to its end as work of one kind, but for the scopes within:
/// `const WorkScope scope(log, {.kind = WorkKind::forward, .micro_batch = 3});`
class WorkScope {
 public:
  WorkScope(WorkLog& log, const Work& work);
  ~WorkScope();
  WorkScope(const WorkScope&) = delete;
  WorkScope& operator=(const WorkScope&) = delete;

 private:
  friend class WorkLog;

  WorkLog& log_;
  WorkScope* outer_;
  bool belongs_to_outer_;  // a wait inside of a communication
  WorkLog::Event event_;
  std::int64_t inner_ = 0;  // nanoseconds of the scopes within
};

}  // namespace precis
