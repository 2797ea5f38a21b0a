#include "io/checkpoint.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/error.hpp"

namespace precis {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "step_";
constexpr std::string_view suffix = ".h5";

/// 120 for "step_000120.h5"; nothing for another name.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(suffix)) {
    return std::nullopt;
  }
  std::int64_t step = 0;
  const char* const end = name.data() + name.size() - suffix.size();
  const auto [parsed, error] = std::from_chars(name.data() + prefix.size(), end, step);
  if (error != std::errc{} || parsed != end || step < 0) {
    return std::nullopt;
  }
  return step;
}

}  // namespace

std::string checkpoint_name(std::int64_t step) {
  return fmt::format("{}{:06}{}", prefix, step, suffix);
}

CheckpointFolder::CheckpointFolder(fs::path folder, int keep, std::function<void()> tick)
    : folder_(std::move(folder)), keep_(keep), tick_(std::move(tick)) {
  if (keep < 1) {
    fail_usage("checkpoint.keep is {}; at least 1 checkpoint must be kept.", keep);
  }
}

std::vector<CheckpointEntry> CheckpointFolder::list() const {
  std::vector<CheckpointEntry> entries;
  std::error_code error;
  const fs::file_status status = fs::status(folder_, error);
  if (!fs::exists(status)) {
    return entries;
  }
  require(fs::is_directory(status),
          "{} is a file, where the folder of the checkpoints is expected.", folder_.string());
  fs::directory_iterator entry(folder_, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (const auto step = step_of(entry->path().filename().string())) {
      entries.push_back({*step, entry->path()});
    }
  }
  require(!error, "cannot read the folder {}: {}.", folder_.string(), error.message());
  std::sort(entries.begin(), entries.end(),
            [](const CheckpointEntry& a, const CheckpointEntry& b) { return a.step > b.step; });
  return entries;
}

void CheckpointFolder::set_aside_after(std::int64_t step) const {
  for (const CheckpointEntry& entry : list()) {
    if (entry.step > step) {
      std::error_code error;
      fs::rename(entry.path, entry.path.string() + ".damaged", error);
      require(!error, "cannot rename {}: {}.", entry.path.string(), error.message());
    }
  }
}

std::unique_ptr<StateWriter> CheckpointFolder::begin(std::int64_t step) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  require(!error, "cannot create the folder {}: {}.", folder_.string(), error.message());
  return std::make_unique<StateWriter>(folder_ / checkpoint_name(step), checkpoint_format, tick_);
}

void CheckpointFolder::end(std::int64_t step, StateWriter& file, OldCheckpoints old) const {
  file.commit();
  write_file(folder_ / "latest", checkpoint_name(step) + "\n");
  if (old == OldCheckpoints::remove) {
    remove_old();
  }
}

void CheckpointFolder::remove_old() const {
  const std::vector<CheckpointEntry> entries = list();
  std::error_code error;
  for (std::size_t i = static_cast<std::size_t>(keep_); i < entries.size(); ++i) {
    fs::remove(entries[i].path, error);
    require(!error, "cannot remove the old checkpoint {}: {}.", entries[i].path.string(),
            error.message());
  }
  // What a killed process left half written; the run's lock keeps others from writing here.
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() == ".partial") {
      fs::remove(entry.path(), error);
    }
  }
}

std::optional<CheckpointEntry> CheckpointFolder::newest(
    const std::function<void(const std::string&)>& damaged) const {
  const std::vector<CheckpointEntry> entries = list();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string damage = find_damage(entries[i].path);
    if (damage.empty()) {
      return entries[i];
    }
    damaged(i + 1 < entries.size()
                ? fmt::format("The checkpoint is damaged: {} The one before it, {}, is tried.",
                              damage, entries[i + 1].path.string())
                : fmt::format("The checkpoint is damaged: {}", damage));
  }
  require(entries.empty(),
          "all checkpoints in {} are damaged, and the run is not started anew. Restore one of them "
          "from a copy, or give another run folder.",
          folder_.string());
  return std::nullopt;
}

/// Reads every dataset. Returns "" or what is wrong with the file (a message with file and
/// dataset).
std::string CheckpointFolder::find_damage(const fs::path& file) const {
  try {
    const StateReader reader(file);
    for (const DatasetInfo& info : reader.datasets()) {
      if (std::string damage = reader.verify(info.path); !damage.empty()) {
        return damage;
      }
      tick_();
    }
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace precis
