#include "train/run_state.hpp"

#include <utility>

#include "base/error.hpp"

namespace precis {

void write_state(StateWriter& file, const RunState& state) {
  nlohmann::ordered_json json{
      {"command", state.command}, {"step", state.step}, {"tokens", state.tokens}};
  json.update(state.extra);
  file.attribute("layout", state.layout);
  file.text("state", json.dump());
}

RunState read_state(const StateReader& file) {
  auto json = nlohmann::ordered_json::parse(file.text("state"), nullptr, false);
  require(json.is_object() && json.contains("command") && json.contains("step") &&
              json.contains("tokens"),
          "{}: the checkpoint's `state` is not one that precis wrote.", file.path().string());
  RunState state{.command = json["command"],
                 .step = json["step"],
                 .tokens = json["tokens"],
                 .layout = file.attribute("layout"),
                 .extra = {}};
  for (const char* key : {"command", "step", "tokens"}) {
    json.erase(key);
  }
  state.extra = std::move(json);
  return state;
}

}  // namespace precis
