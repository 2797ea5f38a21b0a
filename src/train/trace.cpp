#include "train/trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "base/system_call.hpp"
#include "parallel/clock_offset.hpp"
#include "parallel/collectively.hpp"

namespace precis {
namespace {

constexpr double seconds_between = 1;
constexpr int tag = 1;

constexpr std::array<const char*, 4> track_names{"steps", "phases", "actions", "communication"};

/// Perfetto takes thread 0 for the idle task of the system.
int thread_of(WorkTrack track) { return 1 + static_cast<int>(track); }

double microseconds(std::int64_t nanoseconds) { return 1e-3 * static_cast<double>(nanoseconds); }

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

/// The texts of a log as JSON, each made once.
std::vector<std::string> quoted_texts(const WorkLog& log) {
  std::vector<std::string> texts;
  for (int i = 0; i < log.texts(); ++i) {
    texts.push_back(quoted(log.text_of(i)));
  }
  return texts;
}

void append_event(std::string& out, const WorkLog::Event& event, const TraceRank& rank,
                  const std::vector<std::string>& texts) {
  const auto at = std::back_inserter(out);
  const std::string& name = texts[static_cast<std::size_t>(event.name)];
  fmt::format_to(at, "{}{{\"name\":", out.empty() ? "" : ",\n");
  if (event.track == WorkTrack::steps) {
    fmt::format_to(at, "\"{} {}\"", std::string_view(name).substr(1, name.size() - 2),
                   event.number);
  } else {
    out += name;
  }
  fmt::format_to(at, R"(,"ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f})", rank.rank,
                 thread_of(event.track), microseconds(event.begin - rank.zero),
                 microseconds(event.end - event.begin));
  if (event.track == WorkTrack::actions) {
    fmt::format_to(at, R"(,"cat":"{}")", name_of(event.kind));
    if (event.number != WorkLog::none) {
      fmt::format_to(at, R"(,"args":{{"micro_batch":{}}})", event.number);
    }
  } else if (event.track == WorkTrack::communication) {
    fmt::format_to(at, R"(,"cat":"{}","args":{{)", name_of(event.kind));
    if (event.group != WorkLog::none) {
      fmt::format_to(at, R"("group":{},)", texts[static_cast<std::size_t>(event.group)]);
    }
    if (event.bytes != WorkLog::none) {
      fmt::format_to(at, R"("bytes":{},)", event.bytes);
    }
    fmt::format_to(at, R"("waited_us":{:.3f}}})", microseconds(event.waited));
  }
  out += '}';
}

Bytes packed(const TraceText& text) {
  Bytes bytes(sizeof text.dropped + text.events.size());
  std::memcpy(bytes.data(), &text.dropped, sizeof text.dropped);
  std::memcpy(bytes.data() + sizeof text.dropped, text.events.data(), text.events.size());
  return bytes;
}

TraceText unpacked(std::string_view bytes) {
  TraceText text;
  std::memcpy(&text.dropped, bytes.data(), sizeof text.dropped);
  text.events = bytes.substr(sizeof text.dropped);
  return text;
}

}  // namespace

std::string trace_names(const TraceRank& rank) {
  const auto event = [&](const char* what, const std::string& thread, const std::string& args) {
    return fmt::format(R"({{"name":"{}","ph":"M","pid":{}{},"args":{{{}}}}})", what, rank.rank,
                       thread, args);
  };
  const std::string name = quoted(fmt::format("rank {} ({})", rank.rank, rank.host));
  std::string text = event("process_name", "", "\"name\":" + name) + ",\n" +
                     event("process_sort_index", "", fmt::format("\"sort_index\":{}", rank.rank));
  for (std::size_t i = 0; i < track_names.size(); ++i) {
    const int thread = thread_of(static_cast<WorkTrack>(i));
    const std::string of_thread = fmt::format(",\"tid\":{}", thread);
    text += ",\n" + event("thread_name", of_thread, fmt::format("\"name\":\"{}\"", track_names[i]));
    text += ",\n" + event("thread_sort_index", of_thread, fmt::format("\"sort_index\":{}", thread));
  }
  return text;
}

TraceText take_trace(WorkLog& log, const TraceRank& rank) {
  auto [events, dropped] = log.take_events();
  std::ranges::sort(events, [](const WorkLog::Event& a, const WorkLog::Event& b) {
    return std::pair(a.begin, -a.end) < std::pair(b.begin, -b.end);
  });
  TraceText text{.events = "", .dropped = dropped};
  const std::vector<std::string> texts = quoted_texts(log);
  for (const WorkLog::Event& event : events) {
    append_event(text.events, event, rank, texts);
  }
  if (dropped > 0) {
    text.events += fmt::format(
        ",\n"
        R"({{"name":"{} earlier events did not fit into memory","ph":"i","s":"p","pid":{},"tid":{},"ts":{:.3f}}})",
        dropped, rank.rank, thread_of(WorkTrack::steps),
        microseconds(events.front().begin - rank.zero));
  }
  return text;
}

TraceFile::TraceFile(std::filesystem::path path)
    : path_(std::move(path)), file_(path_, std::ios::binary | std::ios::trunc) {
  require_system(file_.is_open(), "cannot write {}", path_.string());
  write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
  end_ = file_.tellp();
  write(end_text());
}

void TraceFile::append(int rank, const TraceText& text) {
  if (text.dropped > 0) {
    dropped_[fmt::format("rank {}", rank)] += text.dropped;
  }
  if (text.events.empty()) {
    return;
  }
  file_.seekp(end_);
  write((std::exchange(empty_, false) ? "\n" : ",\n") + text.events);
  end_ = file_.tellp();
  write(end_text());
}

std::string TraceFile::end_text() const {
  return fmt::format("\n],\"otherData\":{{\"dropped_events\":{}}}}}\n",
                     nlohmann::json(dropped_).dump());
}

void TraceFile::write(const std::string& text) {
  errno = 0;  // an earlier value would not be about this file
  file_ << text << std::flush;
  require_system(file_.good(), "cannot write {}", path_.string());
}

RunTrace::RunTrace(RankGroup& world, const std::filesystem::path& path)
    : world_(world), mine_{.rank = world.rank(), .host = world.progress().host()} {
  collectively(world_, [&] {
    if (world_.rank() == 0) {
      file_.emplace(path);
    }
  });
  std::int64_t zero = world_.work().began();
  world_.broadcast(std::as_writable_bytes(std::span(&zero, 1)), 0);
  mine_.zero = zero + clock_offset(world_);
  const TraceText names{.events = trace_names(mine_)};
  if (world_.size() > 1) {
    own_ = world_.duplicate("trace");
    to_first_.emplace(*own_, tag);
  }
  if (file_) {
    file_->append(0, names);
    receive_from_others();
  } else {
    to_first_->post(0, packed(names));
  }
}

bool RunTrace::is_due() const {
  constexpr double rather_full = 0.5;
  return since_last_.seconds() >= seconds_between || world_.work().fullness() >= rather_full;
}

void RunTrace::collect() {
  const WorkScope scope(world_.work(), {.kind = WorkKind::output, .name = "trace"});
  const TraceText text = take_trace(world_.work(), mine_);
  if (file_) {
    file_->append(0, text);
    receive_from_others();
  } else {
    to_first_->post(0, packed(text));
    to_first_->flush();
  }
  since_last_.restart();
}

void RunTrace::receive_from_others() {
  // All ranks take part in a collective between two of their messages, so these are of one visit.
  for (int others = world_.size() - 1; others > 0; --others) {
    const Message message = to_first_->receive("events of the trace");
    file_->append(message.source, unpacked({reinterpret_cast<const char*>(message.bytes.data()),
                                            message.bytes.size()}));
  }
}

}  // namespace precis
