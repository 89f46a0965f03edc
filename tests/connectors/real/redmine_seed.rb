# Projects, the field for our marker, our account and a colleague's; prints both keys, ours first.
Setting.rest_api_enabled = '1'
Setting.host_name = '127.0.0.1'
projects = %w(support own vendor).map do |name|
  project = Project.new(name: name, identifier: name, is_public: false)
  project.trackers = Tracker.all
  project.enabled_module_names = %w(issue_tracking)
  project.save!
  project
end
field = IssueCustomField.new(name: 'HubId', field_format: 'string', is_for_all: true, is_filter: true)
field.trackers = Tracker.all
field.save!
# One status more than our table knows; a colleague may set it.
strange = IssueStatus.create!(name: 'Quarantine', is_closed: false)
role = Role.find_by_name('Manager')
role.add_permission! :view_private_notes, :set_notes_private, :delete_issues
Tracker.all.each do |tracker|
  IssueStatus.where.not(id: strange.id).each do |old|
    WorkflowTransition.create!(tracker: tracker, role: role, old_status: old, new_status: strange)
  end
end
%w(hub petr).each do |name|
  user = User.new(firstname: name.capitalize, lastname: 'Desk', mail: "#{name}@desk.test", language: 'en')
  user.login = name
  user.password = user.password_confirmation = "#{name}-password-1"
  user.mail_notification = 'none'
  user.save!
  projects.each do |project|
    member = Member.new(project: project, principal: user)
    member.roles = [role]
    member.save!
  end
  puts user.api_key
end
