#include "base/work_log.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"

namespace precis {

const char* name_of(WorkKind kind) {
  constexpr std::array<const char*, work_kinds> names{"forward",
                                                      "backward",
                                                      "optimizer",
                                                      "inference",
                                                      "generation",
                                                      "checks",
                                                      "tensor communication",
                                                      "pipeline communication",
                                                      "data communication",
                                                      "waiting",
                                                      "input",
                                                      "output"};
  return names[static_cast<std::size_t>(kind)];
}

bool is_communication(WorkKind kind) {
  return kind == WorkKind::tensor_communication || kind == WorkKind::pipeline_communication ||
         kind == WorkKind::data_communication;
}

WorkLog::WorkLog() : began_(monotonic_nanoseconds()) {}

std::int64_t WorkLog::nanoseconds() const { return monotonic_nanoseconds() - began_; }

void WorkLog::arrived() noexcept {
  if (innermost_ != nullptr && innermost_->event_.kind != WorkKind::waiting) {
    innermost_->event_.waited =
        monotonic_nanoseconds() - innermost_->event_.begin - innermost_->inner_;
  }
}

void WorkLog::keep_events(std::size_t capacity) {
  ring_.resize(std::max<std::size_t>(1, capacity));
}

int WorkLog::number_of(std::string_view text) {
  if (const auto found = numbers_.find(text); found != numbers_.end()) {
    return found->second;
  }
  texts_.emplace_back(text);
  return numbers_.emplace(text, texts() - 1).first->second;
}

void WorkLog::push(const Event& event) noexcept {
  ring_[next_] = event;
  next_ = (next_ + 1) % ring_.size();
  ++recorded_;
}

void WorkLog::add_event(WorkTrack track, std::string_view name, std::int64_t begin,
                        std::int64_t number) {
  if (keeps_events()) {
    push({.track = track,
          .name = number_of(name),
          .begin = begin,
          .end = monotonic_nanoseconds(),
          .number = number});
  }
}

double WorkLog::fullness() const {
  return keeps_events()
             ? std::min(1.0, static_cast<double>(recorded_) / static_cast<double>(ring_.size()))
             : 0.0;
}

WorkLog::Taken WorkLog::take_events() {
  const auto kept = std::min<std::size_t>(static_cast<std::size_t>(recorded_), ring_.size());
  Taken taken{.events = {}, .dropped = recorded_ - static_cast<std::int64_t>(kept)};
  taken.events.reserve(kept);
  for (std::size_t i = 0; i < kept; ++i) {
    taken.events.push_back(ring_[(next_ + ring_.size() - kept + i) % ring_.size()]);
  }
  recorded_ = 0;
  return taken;
}

WorkScope::WorkScope(WorkLog& log, const Work& work)
    : log_(log),
      outer_(std::exchange(log.innermost_, this)),
      belongs_to_outer_(work.kind == WorkKind::waiting && outer_ != nullptr &&
                        is_communication(outer_->event_.kind)) {
  event_.kind = belongs_to_outer_ ? outer_->event_.kind : work.kind;
  event_.track = work.kind == WorkKind::waiting || is_communication(work.kind)
                     ? WorkTrack::communication
                     : WorkTrack::actions;
  event_.bytes = work.bytes;
  event_.number = work.micro_batch;
  if (log_.keeps_events()) {
    event_.name = log_.number_of(work.name.empty() ? name_of(work.kind) : work.name);
    event_.group = work.group.empty() ? WorkLog::none : log_.number_of(work.group);
  }
  event_.begin = monotonic_nanoseconds();
}

WorkScope::~WorkScope() {
  event_.end = monotonic_nanoseconds();
  const std::int64_t all = event_.end - event_.begin;
  WorkLog::Total& mine = log_.totals_[static_cast<std::size_t>(event_.kind)];
  mine.nanoseconds += all - inner_ - event_.waited;
  mine.calls += belongs_to_outer_ ? 0 : 1;
  if (event_.waited > 0) {
    WorkLog::Total& waiting = log_.totals_[static_cast<std::size_t>(WorkKind::waiting)];
    waiting.nanoseconds += event_.waited;
    ++waiting.calls;
  }
  if (event_.kind == WorkKind::waiting) {
    event_.waited = all - inner_;
  }
  if (outer_ != nullptr) {
    outer_->inner_ += all;
  }
  log_.innermost_ = outer_;
  if (log_.keeps_events()) {
    log_.push(event_);
  }
}

}  // namespace precis
