#include "train/trace.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/system_call.hpp"

namespace precis {
namespace {

constexpr int steps_track = 0;
constexpr int phases_track = 1;

std::string event_text(const std::string& name, int track, double begin, double seconds) {
  return nlohmann::ordered_json{{"name", name}, {"ph", "X"},         {"pid", 0},
                                {"tid", track}, {"ts", 1e6 * begin}, {"dur", 1e6 * seconds}}
      .dump();
}

}  // namespace

TraceFile::TraceFile(std::filesystem::path path)
    : path_(std::move(path)), file_(path_, std::ios::binary | std::ios::trunc) {
  require_system(file_.is_open(), "cannot write {}", path_.string());
  write("[");
  end_ = file_.tellp();
  write("\n]\n");
}

void TraceFile::append(std::int64_t step, const PhaseTimer& phases) {
  std::string text;
  const auto add = [&](const std::string& event) {
    text += (empty_ ? "\n" : ",\n") + event;
    empty_ = false;
  };
  for (const PhaseTimer::Event& event : phases.events()) {
    add(event_text(event.phase, phases_track, event.begin, event.seconds));
  }
  const double now = phases.now();
  add(event_text(fmt::format("step {}", step), steps_track, step_begin_, now - step_begin_));
  step_begin_ = now;
  file_.seekp(end_);
  write(text);
  end_ = file_.tellp();
  write("\n]\n");
}

void TraceFile::write(const std::string& text) {
  errno = 0;  // an earlier value would not be about this file
  file_ << text << std::flush;
  require_system(file_.good(), "cannot write {}", path_.string());
}

}  // namespace precis
