import type { RouteRecordRaw } from 'vue-router';
import { texts } from './texts/texts.ts';
import OtaShell from './shell/OtaShell.vue';
import DeploymentsPage from './list/DeploymentsPage.vue';
import { ROOT_PATH, ROUTE } from './route-names.ts';

/** Routes for the host's router; all paths are absolute and below `/admin/edge/ota`. */
export const routes: RouteRecordRaw[] = [
  {
    path: ROOT_PATH,
    component: OtaShell,
    meta: { title: texts.page.title },
    children: [
      { path: '', name: ROUTE.list, component: DeploymentsPage },
      {
        path: 'new',
        name: ROUTE.create,
        component: () => import('./wizard/NewDeploymentPage.vue'),
      },
      {
        path: 'devices/:device_id',
        name: ROUTE.device,
        component: () => import('./device/DevicePage.vue'),
        props: (route) => ({ deviceId: String(route.params['device_id']) }),
      },
      {
        path: ':deployment_id',
        name: ROUTE.detail,
        component: () => import('./detail/DeploymentPage.vue'),
        props: (route) => ({ deploymentId: String(route.params['deployment_id']) }),
      },
    ],
  },
];

/** The page's entry in the host's navigation. */
export const navigation = {
  id: 'ota',
  title: texts.page.title,
  section: 'Edge',
  icon: 'upload',
  path: ROOT_PATH,
};
