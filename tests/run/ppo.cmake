# Whole runs of `precis ppo` on small models that make_models writes.
add_executable(make_models make_models.cpp)
target_link_libraries(make_models PRIVATE precis_feedback)
